/// What protocolgen writes.
package struct GeneratedCode {
    /// The library's files: name -> text.
    package var library: [String: String] = [:]
    /// The tests' files: name -> text.
    package var tests: [String: String] = [:]
}

/// Turns descriptions into Swift.
package enum Generator {
    /// `descriptions`: file name -> text.
    package static func generate(_ descriptions: [String: String]) throws(GenerationError) -> GeneratedCode {
        var parsed: [String: Description] = [:]
        for (name, text) in descriptions { parsed[name] = try Parser.parse(text, file: name) }
        var result = GeneratedCode()
        for name in parsed.keys.sorted() {
            guard let description = parsed[name] else { continue }
            var included: [Description] = []
            for include in description.includes {
                guard let other = parsed[include] else {
                    throw GenerationError(file: name, line: 1, text: "'\(include)' is not there")
                }
                included.append(other)
            }
            for file in try ProgramEmitter(description, including: included).emit() {
                result.library[file.name] = file.text
            }
            guard let program = description.program else { continue }
            let codecs = CodecEmitter.emit(program, from: name)
            result.tests[codecs.name] = codecs.text
        }
        return result
    }
}
