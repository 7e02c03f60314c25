import Testing

@testable import protocolgen

/// The generator that reads Protocols/*.x.
struct GeneratorTests {
    private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    @Test func theCommittedOutputIsCurrent() throws {
        #expect(try OutputTree(root: Self.root).staleFiles() == [])
    }

    @Test func structsBecomeSwift() throws {
        let text = """
            const TINY_MAX = 3;
            typedef string tiny_string<10>;
            struct tiny_args { tiny_string a_name; unsigned hyper sizes<TINY_MAX>; };
            program tiny { void DO_IT(tiny_args) = 1 high; event DONE(void) = 2; } = 0x11 version 2;
            """
        let code = try Generator.generate(["tiny.x": text])
        let messages = try #require(code.library["TinyProgram+Messages.swift"])
        #expect(messages.contains("aName = try reader.string(max: 10)"))
        #expect(messages.contains("writer.uint64s(sizes, max: 3, \"sizes\")"))
        #expect(code.library["TinyProgram.swift"]?.contains("package static let max = 3") == true)
        #expect(code.library["TinyProgram+Procedures.swift"]?.contains("enum DoIt: Procedure") == true)
        #expect(code.tests["TinyCodecs.swift"]?.contains("table.event(TinyProgram.Done.self)") == true)
    }

    @Test(arguments: [
        ("struct s { nosuch x; };", "type 'nosuch' is not known"),
        ("struct s { int x<LIMIT>; };", "constant 'LIMIT' is not known"),
        ("struct s { int x };", "expected ';'"),
        ("struct s { };", "'s' has no fields"),
        ("struct s { int x[3]; };", "no fixed arrays of 'int'"),
        ("/* never ends", "comment without end"),
        ("include \"other.x\";", "'other.x' is not there"),
        ("wrong;", "'wrong' starts nothing that is known"),
    ])
    func mistakesAreToldWithTheirPlace(_ text: String, _ complaint: String) {
        let source = text + "\nprogram p { void A(s) = 1; } = 1 version 1;"
        let error = #expect(throws: GenerationError.self) { try Generator.generate(["p.x": source]) }
        #expect(error?.text == complaint)
        #expect(error?.description.hasPrefix("p.x:1: error: ") == true)
    }

    @Test(arguments: [
        ("void A(void) = 2;", "A should have number 1"),
        ("void A(nosuch) = 1;", "A: struct 'nosuch' is not known"),
        ("void A(void) = 1 maybe;", "clause 'maybe' is not known"),
        ("void A(void) = 1 access moon:read;", "A: no object 'moon' is known"),
        ("void A(void) = 1 access domain:read if FLAG;", "A: the arguments have no 'flags'"),
    ])
    func mistakesInProceduresAreTold(_ procedure: String, _ complaint: String) {
        let source = "const FLAG = 1; program p { \(procedure) } = 1 version 1;"
        let error = #expect(throws: GenerationError.self) { try Generator.generate(["p.x": source]) }
        #expect(error?.text == complaint)
    }
}
