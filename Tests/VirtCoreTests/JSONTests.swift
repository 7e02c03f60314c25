import Testing
import VirtCore

@Suite struct JSONTests {
    @Test(arguments: [
        #"{"b":1,"a":[true,false,null],"c":{"x":"y"}}"#, "[]", "{}", #""plain""#, "-0", "12345678901234567890",
        "1.50e+10", #"["\"\\\b\f\n\r\t\u0001"]"#, #"{"ä":"日本語😀"}"#,
    ])
    func `a compact text is printed as it was read`(text: String) throws {
        #expect(try JSONParser.parse(text).description == text)
    }

    @Test func `integers of 64 bits stay exact`() throws {
        let value = try JSONParser.parse("[9007199254740993,18446744073709551615,-9223372036854775808]")
        #expect(value.array?[0].int == 9_007_199_254_740_993)
        #expect(value.array?[1].integer(UInt64.self) == .max)
        #expect(value.array?[1].int == nil)
        #expect(value.array?[2].int == .min)
    }

    @Test func `escapes become characters`() throws {
        let value = try JSONParser.parse(#""\u00e4\ud83d\ude00\/\ud800x""#)
        #expect(value.string == "ä😀/\u{FFFD}x")
    }

    @Test(arguments: [
        "", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "01", "1.", ".5", "1e", "-", "tru", "nul", "\"a",
        "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "1 2", "\"\u{1}\"", "[1 2]", "\u{FEFF}1",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: VirtError.self) { try JSONParser.parse(text) }
    }

    @Test func `invalid UTF-8 is refused`() {
        #expect(throws: VirtError.self) { try JSONParser.parse([0x22, 0xFF, 0x22] as [UInt8]) }
        #expect(throws: VirtError.self) { try JSONParser.parse([0x22, 0x5C, 0x6E, 0xC0, 0x80, 0x22] as [UInt8]) }
    }

    @Test func `nesting is bounded`() throws {
        let deep = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(try JSONParser.parse(deep(JSONParser.maximumDepth)).array != nil)
        #expect(throws: VirtError.self) { try JSONParser.parse(deep(JSONParser.maximumDepth + 1)) }
        #expect(throws: VirtError.self) { try JSONParser.parse(String(repeating: "[{\"a\":", count: 1_000_000)) }
    }

    @Test func `members keep their order and can be replaced`() {
        var object: JSONObject = ["b": 1, "a": 2]
        object["b"] = 3
        object["c"] = "x"
        object["a"] = nil
        #expect(JSONValue.object(object).description == #"{"b":3,"c":"x"}"#)
    }

    @Test func `every truncation of a text is refused`() throws {
        let text = Array(#"{"execute":"x","n":[1.5,-2],"s":"\u00e4"}"#.utf8)
        for end in 0..<text.count {
            #expect(throws: VirtError.self) { try JSONParser.parse(text[..<end]) }
        }
    }
}
