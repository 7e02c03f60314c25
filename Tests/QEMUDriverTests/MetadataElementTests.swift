import Testing
import VirtCore
import VirtXML

@testable import QEMUDriver

/// Texts as C libvirt 9.0.0 gives them.
@Suite struct MetadataElementTests {
    static let uri = "http://k/1"

    struct Case: Sendable {
        var given: String
        /// What the element is in the document.
        var document: String
        /// What a client reads; what it gave if nil.
        var read: String?
    }

    static let cases = [
        Case(
            given: "<app at=\"1\">text <b>bold</b> \"more\" é<!--c--><![CDATA[<x>]]></app>",
            document:
                "<k:app xmlns:k=\"http://k/1\" at=\"1\">text <k:b>bold</k:b> \"more\" é<!--c--><![CDATA[<x>]]></k:app>"
        ),
        Case(
            given: "<q>'\"&amp;&lt;&gt;</q>", document: "<k:q xmlns:k=\"http://k/1\">'\"&amp;&lt;&gt;</k:q>"),
        Case(
            given: "<z a=\"&apos;&quot;&#10;x\"/>", document: "<k:z xmlns:k=\"http://k/1\" a=\"'&quot;&#10;x\"/>",
            read: "<z a=\"'&quot;&#10;x\"/>"),
        Case(
            given: "<n><k xmlns=\"urn:k\" xmlns:p=\"urn:p\" p:y=\"1\"><p:l>1</p:l></k></n>",
            document: """
                <k:n xmlns:k="http://k/1">
                      <k xmlns="urn:k" xmlns:p="urn:p" p:y="1">
                        <p:l>1</p:l>
                      </k>
                    </k:n>
                """,
            read: """
                <n>
                  <k xmlns="urn:k" xmlns:p="urn:p" p:y="1">
                    <p:l>1</p:l>
                  </k>
                </n>
                """),
        Case(
            given: "<s>\n  <t>1</t>\n</s>",
            document: "<k:s xmlns:k=\"http://k/1\">\n  <k:t>1</k:t>\n</k:s>"),
    ]

    @Test(arguments: cases) func `an element enters its namespace and leaves it`(each: Case) throws {
        let metadata = try MetadataElement.set(each.given, key: "k", uri: Self.uri, in: nil)
        #expect(metadata.text == "<metadata>\n    \(each.document)\n  </metadata>")
        #expect(try MetadataElement.find(Self.uri, in: metadata) == each.read ?? each.given)
    }

    @Test func `what other applications keep is left as it is`() throws {
        let other = "<o:o xmlns:o=\"urn:o\" o:a=\"1\">mixed <o:p/> <![CDATA[&]]></o:o>"
        let before = XMLFragment(text: "<metadata>\n    \(other)\n    <k:x xmlns:k=\"http://k/1\"/>\n  </metadata>")
        let after = try MetadataElement.set("<y/>", key: "j", uri: Self.uri, in: before)
        #expect(after.text == "<metadata>\n    \(other)\n    <j:y xmlns:j=\"http://k/1\"/>\n  </metadata>")
        let removed = try MetadataElement.set(nil, key: "", uri: Self.uri, in: after)
        #expect(removed.text == "<metadata>\n    \(other)\n  </metadata>")
        #expect(try MetadataElement.set(nil, key: "", uri: "urn:o", in: removed).text == "<metadata/>")
        #expect(try MetadataElement.find(Self.uri, in: removed) == nil)
    }

    @Test func `attributes leave the namespace too, and a second declaration stays`() throws {
        let metadata = XMLFragment(
            text: "<metadata><k:x xmlns:k=\"http://k/1\" k:a=\"1\" b=\"2\">"
                + "<k:y xmlns:k=\"http://k/1\"/></k:x></metadata>")
        let element = try #require(try MetadataElement.find(Self.uri, in: metadata))
        #expect(element == "<x a=\"1\" b=\"2\">\n  <y xmlns:k=\"http://k/1\"/>\n</x>")
    }

    @Test(arguments: ["", "1", "a b", "a:b", "<"]) func `a prefix that is no name is refused`(key: String) {
        #expect(throws: VirtError.self) { try MetadataElement.set("<y/>", key: key, uri: Self.uri, in: nil) }
    }

    @Test(arguments: ["", "<a>", "text", "<a/><b/>"]) func `what is no document is refused`(text: String) {
        #expect(throws: VirtError.self) { try MetadataElement.set(text, key: "k", uri: Self.uri, in: nil) }
    }
}
