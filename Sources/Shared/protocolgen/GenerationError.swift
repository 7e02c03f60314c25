/// What is wrong with a description, and where.
package struct GenerationError: Error, CustomStringConvertible {
    package let file: String
    package let line: Int
    package let text: String

    package var description: String { "\(file):\(line): error: \(text)" }
}
