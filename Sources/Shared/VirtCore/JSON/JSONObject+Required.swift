extension JSONObject {
    /// An integer that the document must have.
    package func required<Integer: FixedWidthInteger>(
        _ key: String, as type: Integer.Type = Integer.self
    ) throws(VirtError) -> Integer {
        guard let value = self[key]?.integer(type) else { throw Self.malformed(key) }
        return value
    }

    /// A boolean that the document must have.
    package func requiredBool(_ key: String) throws(VirtError) -> Bool {
        guard let value = self[key]?.bool else { throw Self.malformed(key) }
        return value
    }

    /// A string that the document must have.
    package func requiredString(_ key: String) throws(VirtError) -> String {
        guard let value = self[key]?.string else { throw Self.malformed(key) }
        return value
    }

    /// An array that the document must have.
    package func requiredArray(_ key: String) throws(VirtError) -> [JSONValue] {
        guard let value = self[key]?.array else { throw Self.malformed(key) }
        return value
    }

    /// An array that the document must have, all of objects.
    package func requiredObjects(_ key: String) throws(VirtError) -> [JSONObject] {
        var objects: [JSONObject] = []
        for value in try requiredArray(key) {
            guard let object = value.object else { throw Self.malformed(key) }
            objects.append(object)
        }
        return objects
    }

    /// An object that the document must have.
    package func requiredObject(_ key: String) throws(VirtError) -> JSONObject {
        guard let value = self[key]?.object else { throw Self.malformed(key) }
        return value
    }

    private static func malformed(_ key: String) -> VirtError {
        VirtError(.internalError, .none, "Missing or malformed '\(key)' in JSON document")
    }
}
