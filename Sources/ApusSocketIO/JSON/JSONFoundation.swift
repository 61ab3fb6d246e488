import Apus

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Values that JavaScript has types of its own for. What `Codable` makes of them by itself means nothing to a page: of
/// a date the seconds since 2001, of `Data` an array of numbers.
extension JSON {
    /// `nil` for a value of any other type.
    init?(special value: some Encodable) {
        switch value {
        case let value as Date: self = ISODate.text(value).map(JSON.string) ?? .null
        case let value as Data: self = .binary([UInt8](value))
        case let value as Bytes: self = .binary([UInt8](value))
        case let value as URL: self = .string(value.absoluteString)
        case let value as Decimal: self = Number(value).map(JSON.number) ?? .null
        default: return nil
        }
    }
}

extension JSON.Number {
    /// `nil` for what is no number.
    fileprivate init?(_ value: Decimal) {
        guard value.isFinite else { return nil }
        self.init(checked: "\(value)")
    }
}

extension JSONValueDecoder {
    /// The reverse of `JSON.init(special:)`; `nil` for any other type.
    func special<T>(_ type: T.Type) throws -> T? {
        if type == Date.self { return try date() as? T }
        if type == Data.self { return value.binary.map { Data($0) } as? T }
        if type == Bytes.self { return value.binary.map { Bytes($0) } as? T }
        if type == URL.self { return try url() as? T }
        if type == Decimal.self { return try decimal() as? T }
        return nil
    }

    private func date() throws -> Date {
        let date: Date? =
            switch value {
            case .string(let text): ISODate.date(text)
            case .number: value.double.flatMap(ISODate.date(milliseconds:))
            default: nil
            }
        guard let date else { throw mismatch(Date.self, "a date in ISO 8601, or in milliseconds since 1970") }
        return date
    }

    private func url() throws -> URL {
        guard let url = value.string.flatMap({ URL(string: $0) }) else { throw mismatch(URL.self, "a URL") }
        return url
    }

    private func decimal() throws -> Decimal {
        guard case .number(let number) = value, let decimal = Decimal(string: number.text) else {
            throw mismatch(Decimal.self, "a number")
        }
        return decimal
    }
}
