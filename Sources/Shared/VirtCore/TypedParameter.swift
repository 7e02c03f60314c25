/// A value of one of libvirt's typed-parameter types (virTypedParameterType).
package enum TypedValue: Sendable, Equatable {
    case int(Int32)
    case uint(UInt32)
    case llong(Int64)
    case ullong(UInt64)
    case double(Double)
    case boolean(Bool)
    case string(String)
}

/// A named value, as statistics, tunables and identities travel (virTypedParameter).
package struct TypedParameter: Sendable, Equatable {
    /// The field's name, at most 80 bytes on the wire.
    package var field: String
    package var value: TypedValue

    package init(_ field: String, _ value: TypedValue) {
        self.field = field
        self.value = value
    }
}

extension TypedValue {
    /// The number of the type on the wire (virTypedParameterType).
    package var typeNumber: Int32 {
        switch self {
        case .int: 1
        case .uint: 2
        case .llong: 3
        case .ullong: 4
        case .double: 5
        case .boolean: 6
        case .string: 7
        }
    }
}
