/// Makes JSON values of `Encodable` ones, without a way through text.
///
/// Encoding goes into boxes, since a container may be filled after it was handed out.
final class JSONValueEncoder: Encoder {
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }
    private var content = Content.nothing

    private enum Content {
        case nothing
        case value(JSON)
        case object(JSONObjectBox)
        case array(JSONArrayBox)
    }

    init(codingPath: [any CodingKey] = []) { self.codingPath = codingPath }

    /// What was encoded; an empty object where nothing was.
    var value: JSON {
        switch content {
        case .nothing: .object(JSON.Object())
        case .value(let value): value
        case .object(let box): .object(JSON.Object(box.members.map { .init(key: $0.key, value: $0.value.value) }))
        case .array(let box): .array(box.elements.map(\.value))
        }
    }

    func set(_ value: JSON) { content = .value(value) }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .object(let box) = content { return KeyedEncodingContainer(JSONKeyedEncoding(box, codingPath)) }
        let box = JSONObjectBox()
        content = .object(box)
        return KeyedEncodingContainer(JSONKeyedEncoding(box, codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .array(let box) = content { return JSONUnkeyedEncoding(box, codingPath) }
        let box = JSONArrayBox()
        content = .array(box)
        return JSONUnkeyedEncoding(box, codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { JSONSingleEncoding(encoder: self) }

    /// Encodes what nearly all arguments are without a container.
    func encode<Value: Encodable>(_ value: Value) throws {
        // Not by a cast: any array casts to any other while it is empty.
        if Value.self == [UInt8].self, let bytes = value as? [UInt8] { return set(.binary(bytes)) }
        switch value {
        case let value as JSON: set(value)
        case let value as String: set(.string(value))
        case let value as Bool: set(.bool(value))
        case let value as any BinaryInteger: set(.number(JSON.Number(value)))
        case let value as any BinaryFloatingPoint: try setNumber(Double(value))
        default: if let special = JSON(special: value) { set(special) } else { try value.encode(to: self) }
        }
    }

    private func setNumber(_ value: Double) throws {
        guard let number = JSON.Number(value) else {
            throw EncodingError.invalidValue(
                value, EncodingError.Context(codingPath: codingPath, debugDescription: "JSON has no word for \(value)"))
        }
        set(.number(number))
    }
}

/// The members of an object that is being encoded.
final class JSONObjectBox {
    private(set) var members: [(key: String, value: JSONValueEncoder)] = []
    private var indices: [Name: Int] = [:]

    /// Puts a value where its key stands already, or behind the others.
    func put(_ value: JSONValueEncoder, at key: String) {
        let name = Name(key)
        if let index = indices[name] {
            members[index].value = value
        } else {
            indices[name] = members.count
            members.append((key, value))
        }
    }
}

/// The elements of an array that is being encoded.
final class JSONArrayBox {
    var elements: [JSONValueEncoder] = []
}

private struct JSONKeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let box: JSONObjectBox
    let codingPath: [any CodingKey]

    init(_ box: JSONObjectBox, _ codingPath: [any CodingKey]) {
        self.box = box
        self.codingPath = codingPath
    }

    private func encoder(_ key: any CodingKey) -> JSONValueEncoder {
        let encoder = JSONValueEncoder(codingPath: codingPath + [key])
        box.put(encoder, at: key.stringValue)
        return encoder
    }

    mutating func encodeNil(forKey key: Key) throws { encoder(key).set(.null) }
    mutating func encode(_ value: some Encodable, forKey key: Key) throws { try encoder(key).encode(value) }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { encoder(key).container(keyedBy: type) }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder(key).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { encoder(JSONNameKey("super")) }
    mutating func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
}

private struct JSONUnkeyedEncoding: UnkeyedEncodingContainer {
    let box: JSONArrayBox
    let codingPath: [any CodingKey]

    init(_ box: JSONArrayBox, _ codingPath: [any CodingKey]) {
        self.box = box
        self.codingPath = codingPath
    }

    var count: Int { box.elements.count }

    private func encoder() -> JSONValueEncoder {
        let encoder = JSONValueEncoder(codingPath: codingPath + [JSONIndexKey(count)])
        box.elements.append(encoder)
        return encoder
    }

    mutating func encodeNil() throws { encoder().set(.null) }
    mutating func encode(_ value: some Encodable) throws { try encoder().encode(value) }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        encoder().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder().unkeyedContainer() }
    mutating func superEncoder() -> any Encoder { encoder() }
}

private struct JSONSingleEncoding: SingleValueEncodingContainer {
    let encoder: JSONValueEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    mutating func encodeNil() throws { encoder.set(.null) }
    mutating func encode(_ value: some Encodable) throws { try encoder.encode(value) }
}

extension JSON: Encodable {
    /// For this module's encoder as it is; for any other by what it holds, bytes as an array of numbers.
    public func encode(to encoder: any Encoder) throws {
        if let encoder = encoder as? JSONValueEncoder { return encoder.set(self) }
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let bool): try container.encode(bool)
        case .number(let number):
            if let int = Int(number.text) { try container.encode(int) } else { try container.encode(double) }
        case .string(let string): try container.encode(string)
        case .array(let array): try container.encode(array)
        case .object(let object):
            let members = Dictionary(object.members.map { (Name($0.key), $0.value) }) { _, last in last }
            var keyed = encoder.container(keyedBy: JSONNameKey.self)
            for (name, value) in members { try keyed.encode(value, forKey: JSONNameKey(name.text)) }
        case .binary(let bytes): try container.encode(bytes)
        }
    }

    /// Makes a value of any `Encodable` one. `[UInt8]`, `Data` and `Bytes` become attachments, wherever they stand. A
    /// `Date` becomes a text as of JavaScript's `toISOString`, to the millisecond, or null where JavaScript has no such
    /// date; a `URL` becomes a text, and a `Decimal` a number.
    ///
    /// - Throws: `EncodingError`, as for a number that JSON has no word for.
    public init(encoding value: some Encodable) throws {
        let encoder = JSONValueEncoder()
        try encoder.encode(value)
        self = encoder.value
    }
}
