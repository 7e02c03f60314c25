package import VirtXML

/// A network filter with its variables (`<filterref>`).
package struct NetworkFilterReference: Equatable, Sendable, XMLMappable {
    package struct Parameter: Equatable, Sendable, XMLMappable {
        package var name = ""
        package var value = ""

        package init() {}

        package mutating func map<M: ElementMapper>(_ x: inout M) throws {
            try x.required("name", &name)
            try x.required("value", &value)
        }
    }

    package var filter = ""
    package var parameters: [Parameter] = []

    package init() {}

    package mutating func map<M: ElementMapper>(_ x: inout M) throws {
        try x.required("filter", &filter)
        try x.elements("parameter", &parameters)
    }
}
