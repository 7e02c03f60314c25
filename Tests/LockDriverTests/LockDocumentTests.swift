import Testing
import VirtCore

@testable import LockDriver

@Suite struct LockDocumentTests {
    /// As libvirt's own daemon writes it.
    private static let written = """
        {"magic":"1","defaultLockspace":{"resources":[{"name":"/img/a","path":"/img/a","fd":12,"lockHeld":true,\
        "flags":0,"owners":[77]}]},"lockspaces":[{"directory":"/space","resources":[{"name":"k","path":"/space/k",\
        "fd":13,"lockHeld":true,"flags":3,"owners":[77,78]}]}]}
        """

    private func parse(_ text: String) throws -> LockDocument {
        try LockDocument(parsing: #require(try JSONParser.parse(Array(text.utf8)).object))
    }

    @Test func `a document of libvirt's is read`() throws {
        let document = try parse(Self.written)
        #expect(document.spaces.map(\.directory) == ["", "/space"])
        #expect(
            document.spaces[0].resources == [
                .init(name: "/img/a", path: "/img/a", descriptor: 12, flags: 0, owners: [.init(pid: 77)])
            ])
        #expect(document.spaces[1].resources[0].owners.map(\.pid) == [77, 78])
    }

    @Test func `what is written is read again, with what libvirt does not know`() throws {
        let document = LockDocument(spaces: [
            .init(
                directory: "",
                resources: [.init(name: "a", path: "a", descriptor: 9, flags: 1, owners: [.init(pid: 5, start: 99)])]),
            .init(directory: "/empty", resources: []),
        ])
        #expect(try LockDocument(parsing: document.document) == document)
    }

    @Test(arguments: [
        ("\"fd\":12", "\"fd\":13"), ("\"fd\":12", "\"fd\":-1"), ("\"fd\":12", "\"fd\":2"), ("\"fd\":12", "\"fd\":1e3"),
        ("\"flags\":0", "\"flags\":4"), ("\"owners\":[77]", "\"owners\":[]"), ("\"owners\":[77]", "\"owners\":[-1]"),
        ("\"path\":\"/img/a\"", "\"path\":\"\""), ("\"lockHeld\":true", "\"lockHeld\":false"),
        ("\"directory\":\"/space\"", "\"directory\":\"\""), ("\"directory\":\"/space\",", ""),
        ("\"lockspaces\"", "\"others\""), ("\"defaultLockspace\"", "\"others\""),
    ])
    func `a document that makes no sense is refused`(part: String, broken: String) throws {
        let text = try #require(
            Self.written.range(of: part).map { Self.written.replacingCharacters(in: $0, with: broken) })
        #expect(throws: VirtError.self) { try parse(text) }
    }
}

extension String {
    fileprivate func range(of part: String) -> Range<String.Index>? { firstRange(of: part) }

    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        self[..<range.lowerBound] + text + self[range.upperBound...]
    }
}
