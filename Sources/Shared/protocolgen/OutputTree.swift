/// The generated files of a package and what they should be.
package struct OutputTree {
    private static let protocols = "Sources/Shared/VirtWire/Protocols"
    private static let library = "Sources/Shared/VirtWire/Generated"
    private static let tests = "Tests/VirtWireTests/Generated"

    private let root: String
    /// Path below the root -> text.
    private let wanted: [String: String]
    private let present: [String: String]

    package init(root: String) throws {
        self.root = root
        let descriptions = try Files.read(directory: "\(root)/\(OutputTree.protocols)", suffix: ".x")
        var wanted: [String: String] = [:]
        let code = try Generator.generate(descriptions)
        for (name, text) in code.library { wanted["\(OutputTree.library)/\(name)"] = text }
        for (name, text) in code.tests { wanted["\(OutputTree.tests)/\(name)"] = text }
        self.wanted = wanted
        var present: [String: String] = [:]
        for directory in [OutputTree.library, OutputTree.tests] {
            for (name, text) in try Files.read(directory: "\(root)/\(directory)", suffix: ".swift") {
                present["\(directory)/\(name)"] = text
            }
        }
        self.present = present
    }

    /// Files that are missing, different, or should not be there.
    package func staleFiles() throws -> [String] {
        Set(wanted.keys).union(present.keys).filter { wanted[$0] != present[$0] }.sorted()
    }

    /// Writes or removes these files.
    package func update(_ files: [String]) throws {
        for name in files {
            if let text = wanted[name] {
                try Files.write(text, to: "\(root)/\(name)")
            } else {
                Files.remove("\(root)/\(name)")
            }
        }
    }
}
