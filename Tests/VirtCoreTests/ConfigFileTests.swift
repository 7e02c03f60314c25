import Testing
import VirtCore

@Suite struct ConfigFileTests {
    private func parse(_ text: String) throws -> ConfigFile { try ConfigFile.parse(text, name: "t.conf") }

    @Test func `numbers, strings and lists are read as they are written`() throws {
        let file = try parse(
            """
            # a comment
            port = 16509   # another
            low = -1; plus=+5
            \t name="it's" ; other = 'say "x"'
            names = [ "a",
              'b' ,
            ]
            empty=[]
            nested=[[1],["x"]]
            """)
        #expect(try file.uint("port") == 16509)
        #expect(try file.int("low") == -1)
        #expect(try file.int("plus") == 5)
        #expect(try file.string("name") == "it's")
        #expect(try file.string("other") == "say \"x\"")
        #expect(try file.strings("names") == ["a", "b"])
        #expect(try file.strings("empty") == [])
        #expect(file.entry("nested")?.value == .list([.list([.number(1)]), .list([.string("x")])]))
        #expect(file.entry("names")?.line == 7)
        #expect(try file.string("absent") == nil)
    }

    @Test(arguments: ["", "\n\n", "# only", "   ", "a=1\r\nb=2\r\n", "a=1;", "a=1\n  \t"])
    func `files with nothing more to say are fine`(text: String) throws {
        _ = try parse(text)
    }

    @Test func `three quotes hold lines and quotes`() throws {
        let file = try parse("a=\"\"\"x\n\"\"y\"\"\"\nb=\"\"\"\"\"\"\nc=\"z\"")
        #expect(try file.string("a") == "x\n\"\"y")
        #expect(try file.string("b") == "")
        #expect(file.entry("c")?.line == 4)
    }

    @Test func `of two settings of one name the first counts`() throws {
        #expect(try parse("a=1\na=2").uint("a") == 1)
    }

    // Texts and lines as C libvirt 9.0.0 gives them.
    @Test(arguments: [
        ("a=\"x\\\"y\"", "1: expecting a separator"), ("a=\"x\ny\"\n", "1: unterminated string"),
        ("a=[\n# c\n\"x\"]", "2: expecting a value"), ("a\n", "1: expecting an assignment"),
        ("a=\n", "1: expecting a value"), ("a=1 b=2\n", "1: expecting a separator"), ("1a=1\n", "1: expecting a name"),
        ("_a=1", "1: expecting a name"), ("a-b=1", "1: expecting an assignment"),
        ("a=[1\n", "2: list is not closed with ]"),
        ("a=[1 2]\n", "1: expecting a separator in list"), ("a=x\n", "1: expecting a value"),
        ("a=0x10\n", "1: expecting a separator"), ("=1", "1: expecting a name"),
        ("a=1\n\nb=oops\n", "3: expecting a value"),
        ("a=-\n", "1: unterminated number"), ("a=--1", "1: unterminated number"), ("a=[,1]", "1: expecting a value"),
        ("a=[1,,2]", "1: expecting a value"), ("a='", "1: unterminated string"),
        ("a=[", "1: list is not closed with ]"),
        ("a=1\n;", "2: expecting a name"), ("a=[\n\n\"x\"\n\n oops]", "5: expecting a separator in list"),
        ("a=\"\"\"\n\n\"\"\"\nb=oops", "4: expecting a value"),
    ])
    func `a mistake is reported with libvirt's text and line`(text: String, problem: String) {
        #expect(throws: VirtError(.confSyntax, .conf, "t.conf:\(problem)")) { try parse(text) }
    }

    @Test(arguments: [
        "a=99999999999999999999999", "a=-9223372036854775809", "a=\(String(repeating: "[", count: 100_000))",
        "a=\"x\u{0}\"",
    ])
    func `what libvirt would misread is refused`(text: String) {
        #expect(throws: VirtError.self) { try parse(text) }
    }

    @Test func `bytes that are no UTF-8 are fine in comments and refused in strings`() throws {
        let comment: [UInt8] = Array("a=1 # ".utf8) + [0xFF]
        #expect(try ConfigFile.parse(bytes: comment, name: "t.conf").uint("a") == 1)
        let string: [UInt8] = Array("a=\"".utf8) + [0xFF] + Array("\"".utf8)
        #expect(throws: VirtError.self) { try ConfigFile.parse(bytes: string, name: "t.conf") }
    }

    @Test func `the edges of the number types are exact`() throws {
        let file = try parse("a=4294967295\nb=4294967296\nc=-2147483648\nd=-2147483649\ne=18446744073709551615\nf=2")
        #expect(try file.uint("a") == UInt32.max)
        #expect(
            throws: VirtError(.internalError, .conf, "t.conf:2: value for 'b' parameter must be in range 0:4294967295")
        ) {
            try file.uint("b")
        }
        #expect(try file.int("c") == Int32.min)
        let range = "value for 'd' parameter must be in range -2147483648:2147483647"
        #expect(throws: VirtError(.internalError, .conf, "t.conf:4: \(range)")) { try file.int("d") }
        #expect(try file.uint("e", as: UInt64.self) == UInt64.max)
        #expect(throws: VirtError(.internalError, .conf, "t.conf:6: value for 'f' parameter must be 0 or 1")) {
            try file.bool("f")
        }
    }

    @Test func `wrong types name the key, the line and what was expected`() throws {
        let file = try parse("a=1\nb=\"x\"\nc=[1]\nd=-1")
        #expect(throws: VirtError(.internalError, .conf, "t.conf:1: expected a string for 'a' parameter")) {
            try file.string("a")
        }
        #expect(throws: VirtError(.internalError, .conf, "t.conf:2: expected a signed integer for 'b' parameter")) {
            try file.int("b")
        }
        #expect(throws: VirtError(.internalError, .conf, "t.conf:4: expected an unsigned integer for 'd' parameter")) {
            try file.uint("d")
        }
        #expect(throws: VirtError(.confSyntax, .conf, "t.conf:3: expected a string list for 'c' parameter")) {
            try file.strings("c")
        }
        #expect(try file.strings("b", orSingle: true) == ["x"])
    }

    @Test func `a schema finds unknown keys and wrong types`() throws {
        let schema = ConfigSchema(["max_clients": .uint, "log_outputs": .string])
        #expect(
            try parse("max_clients = 5\n\nmax_client = 6\n").check(schema) == ["t.conf:3: unknown key 'max_client'"])
        #expect(throws: VirtError.self) { try parse("log_outputs = 3").check(schema) }
    }
}
