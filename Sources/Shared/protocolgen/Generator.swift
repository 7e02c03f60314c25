/// Turns descriptions into Swift.
package enum Generator {
    /// `descriptions`: file name -> text. Result: file name -> text.
    package static func generate(_ descriptions: [String: String]) throws(GenerationError) -> [String: String] {
        var parsed: [String: Description] = [:]
        for (name, text) in descriptions { parsed[name] = try Parser.parse(text, file: name) }
        var result: [String: String] = [:]
        for name in parsed.keys.sorted() {
            guard let description = parsed[name] else { continue }
            var included: [Description] = []
            for include in description.includes {
                guard let other = parsed[include] else {
                    throw GenerationError(file: name, line: 1, text: "'\(include)' is not there")
                }
                included.append(other)
            }
            for file in try ProgramEmitter(description, including: included).emit() { result[file.name] = file.text }
        }
        return result
    }
}
