import Glibc
import Testing
import VirtCore
import VirtXML

@Suite("RELAX NG schemas")
struct XMLSchemaTests {
    private static let grammar = """
        <element name="pot" xmlns="http://relaxng.org/ns/structure/1.0">
          <attribute name="lid"><choice><value>on</value><value>off</value></choice></attribute>
          <zeroOrMore><element name="bean"><text/></element></zeroOrMore>
        </element>
        """

    private func schema() throws -> XMLSchema {
        var path = Array("/tmp/virtswarm-schema-XXXXXX".utf8CString)
        let file = mkstemp(&path)
        try #require(file >= 0)
        let name = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(file)
            unlink(name)
        }
        let bytes = Array(Self.grammar.utf8)
        try #require(write(file, bytes, bytes.count) == bytes.count)
        return try XMLSchema.at(name)
    }

    private func document(_ text: String) throws -> XMLDocument {
        try XMLDocument.parse(text, name: "pot", domain: .xml)
    }

    @Test("a document that follows the schema is taken, as often as it comes")
    func valid() throws {
        let schema = try schema()
        for _ in 0..<3 { try schema.validate(document("<pot lid='on'><bean>b</bean></pot>")) }
    }

    @Test("another one is refused with libvirt's code, the schema's path and the parser's words")
    func invalid() throws {
        let schema = try schema()
        let error = #expect(throws: VirtError.self) { try schema.validate(document("<pot lid='on'><pea/></pot>")) }
        #expect(error?.code == .xmlInvalidSchema)
        #expect(error?.message.contains("Unable to validate doc against ") == true)
        #expect(error?.message.contains("pea") == true)
        try schema.validate(document("<pot lid='off'/>"))
    }

    @Test("a schema that is not there is an error")
    func missing() {
        let error = #expect(throws: VirtError.self) { try XMLSchema.at("/nowhere/at-all.rng") }
        #expect(error?.code == .internalError)
    }
}
