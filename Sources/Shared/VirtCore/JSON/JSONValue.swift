/// One JSON value as QMP carries it. Numbers keep their literal, so that integers beyond 2^53 stay exact, and objects
/// keep the order of their members, so that a printed value equals what was read.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The literal of a number, already checked against JSON's grammar.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// The members of a JSON object in their order.
package struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// One member: its key and its value.
    package struct Member: Sendable, Hashable {
        package var key: String
        package var value: JSONValue

        package init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    package var members: [Member]

    package init(members: [Member] = []) {
        self.members = members
    }

    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = elements.map { Member($0.0, $0.1) }
    }

    /// The last member of that name; setting replaces it in its place, appends it, or (nil) removes it.
    package subscript(key: String) -> JSONValue? {
        get { members.last { $0.key == key }?.value }
        set {
            guard let index = members.lastIndex(where: { $0.key == key }) else {
                if let newValue { members.append(Member(key, newValue)) }
                return
            }
            if let newValue {
                members[index].value = newValue
            } else {
                members.remove(at: index)
            }
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .number(String(value)) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(nilLiteral: ()) { self = .null }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(members: elements.map { JSONObject.Member($0.0, $0.1) }))
    }

    /// An integer of any width.
    package static func integer(_ value: some FixedWidthInteger) -> JSONValue { .number(String(value)) }
}

extension JSONValue {
    package var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    package var array: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The number as an integer of the wanted type; nil when it is no number, has a fraction, or doesn't fit.
    package func integer<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) -> Integer? {
        if case .number(let literal) = self { Integer(literal) } else { nil }
    }

    package var int: Int64? { integer() }

    package var double: Double? {
        if case .number(let literal) = self { Double(literal) } else { nil }
    }

    /// The member of an object; nil when this is no object.
    package subscript(key: String) -> JSONValue? { object?[key] }
}
