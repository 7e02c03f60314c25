import QEMUCommand
import Testing
import VirtCore
import VirtModel
import VirtXML

/// Definitions of many kinds, from the document to QEMU's arguments, without a daemon.
@Suite struct GuestTests {
    @Test(arguments: GuestFixture.all)
    func `a definition becomes C libvirt's document and command line, or its error`(guest: GuestFixture) throws {
        let context = try GuestFixture.context()
        if let code = guest.code("error") {
            let error = #expect(throws: VirtError.self) { _ = try GuestFixture.define(guest.input, context) }
            #expect(error?.code.rawValue == code)
            return
        }
        let domain = try GuestFixture.define(guest.input, context)
        if let xml = guest.sections["xml"] {
            #expect(try normalised(domain.format([.inactive, .secure]), guest) == lines(xml))
        }
        if let code = guest.code("argv error") {
            let error = #expect(throws: VirtError.self) { _ = try GuestFixture.commandLine(domain, context) }
            #expect(error?.code.rawValue == code)
        } else {
            let line = try GuestFixture.commandLine(domain, context)
            let words = ([line.binary] + line.arguments).joined(separator: "\n")
            #expect(normalised(words, guest) == lines(guest.sections["argv"] ?? ""))
        }
    }

    @Test func `there are definitions to try`() {
        #expect(GuestFixture.all.count > 80)
    }

    private func lines(_ text: String) -> [String] {
        text.split(separator: "\n").map { line in
            var line = String(line)
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// Made-up addresses and numbers of descriptors are no part of an expectation.
    private func normalised(_ text: String, _ guest: GuestFixture) -> [String] {
        let text = text.replacing(/52:54:00(:[0-9a-f]{2}){3}/) { match in
            guest.input.contains(match.output.0) ? String(match.output.0) : "@MAC@"
        }
        return lines(text.replacing(/"(vhost)?fd":"[0-9]+"/) { "\"\($0.output.1 ?? "")fd\":\"@FD@\"" })
    }
}
