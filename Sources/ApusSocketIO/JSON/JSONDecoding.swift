/// Makes `Decodable` values of JSON ones, without a way through text.
struct JSONValueDecoder: Decoder {
    let value: JSON
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ value: JSON, codingPath: [any CodingKey] = []) {
        self.value = value
        self.codingPath = codingPath
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch([String: JSON].self, "an object") }
        return KeyedDecodingContainer(try JSONKeyedDecoding(object, codingPath: codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw mismatch([JSON].self, "an array") }
        return JSONUnkeyedDecoding(elements: elements, codingPath: codingPath)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    /// What nearly all arguments are is decided here, before a container is made.
    func decoded<T: Decodable>(_ type: T.Type) throws -> T {
        if type == JSON.self, let value = value as? T { return value }
        switch value {
        case .binary(let bytes): if let bytes = bytes as? T { return bytes }
        case .string(let string):
            if let string = string as? T { return string }
            if type is any RawRepresentable.Type { try check(string, "a value of an enumeration") }
        case .array(let elements) where type == Set<String>.self:
            for case .string(let string) in elements { try check(string, "an element of a set") }
        case .null, .bool, .number, .array, .object: break
        }
        return try special(type) ?? T(from: self)
    }

    /// Checks that a text may be given to a type that will compare it as a `String`.
    private func check(_ text: String, _ role: String) throws {
        guard !text.isCheapToCompare else { return }
        throw DecodingError.dataCorrupted(
            DecodingError.Context(
                codingPath: codingPath, debugDescription: "\(role) has \(text.utf8.count) bytes that are not ASCII"))
    }

    func mismatch(_ type: any Any.Type, _ wanted: String) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: codingPath, debugDescription: "\(value.abridged) is not \(wanted)")
        return value == .null ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }
}

extension JSONValueDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { value == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard let bool = value.bool else { throw mismatch(type, "true or false") }
        return bool
    }

    func decode(_ type: String.Type) throws -> String {
        guard let string = value.string else { throw mismatch(type, "a string") }
        return string
    }

    func decode(_ type: Double.Type) throws -> Double {
        guard let double = value.double else { throw mismatch(type, "a number") }
        return double
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if let integer = type as? any FixedWidthInteger.Type, let value = try integer.decoded(from: self) as? T {
            return value
        }
        return try decoded(type)
    }

    fileprivate func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        guard case .number(let number) = value else { throw mismatch(type, "a number") }
        if let exact = T(number.text) { return exact }
        // JavaScript knows one kind of number: 1.0 and 1e3 are whole as well.
        if let double = Double(number.text), let whole = T(exactly: double) { return whole }
        throw mismatch(type, "a whole number that fits \(type)")
    }
}

extension FixedWidthInteger {
    fileprivate static func decoded(from decoder: JSONValueDecoder) throws -> Self { try decoder.integer(Self.self) }
}

/// A key of an array's element.
struct JSONIndexKey: CodingKey {
    let intValue: Int?
    var stringValue: String { "Index \(intValue ?? 0)" }

    init(_ index: Int) { intValue = index }
    init?(intValue: Int) { self.intValue = intValue }
    init?(stringValue: String) { return nil }
}

private struct JSONKeyedDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let values: [Name: JSON]
    let codingPath: [any CodingKey]

    init(_ object: JSON.Object, codingPath: [any CodingKey]) throws {
        for member in object.members { try member.checkKey(codingPath) }
        values = Dictionary(object.members.lazy.map { (Name($0.key), $0.value) }) { _, last in last }
        self.codingPath = codingPath
    }

    var allKeys: [Key] { values.keys.compactMap { Key(stringValue: $0.text) } }

    func contains(_ key: Key) -> Bool { values[Name(key.stringValue)] != nil }

    private func decoder(_ key: any CodingKey) throws -> JSONValueDecoder {
        guard let value = values[Name(key.stringValue)] else {
            throw DecodingError.keyNotFound(
                key, DecodingError.Context(codingPath: codingPath, debugDescription: "there is no \(key.stringValue)"))
        }
        return JSONValueDecoder(value, codingPath: codingPath + [key])
    }

    func decodeNil(forKey key: Key) throws -> Bool { try decoder(key).decodeNil() }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try decoder(key).decode(type) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { try decoder(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try decoder(JSONNameKey("super")) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }
}

/// A key by its name alone.
struct JSONNameKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
}

private struct JSONUnkeyedDecoding: UnkeyedDecodingContainer {
    let elements: [JSON]
    let codingPath: [any CodingKey]
    private(set) var currentIndex = 0

    init(elements: [JSON], codingPath: [any CodingKey]) {
        self.elements = elements
        self.codingPath = codingPath
    }

    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex == elements.count }

    private mutating func next() throws -> JSONValueDecoder {
        let path = codingPath + [JSONIndexKey(currentIndex)]
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                JSON.self, DecodingError.Context(codingPath: path, debugDescription: "the array ends here"))
        }
        defer { currentIndex += 1 }
        return JSONValueDecoder(elements[currentIndex], codingPath: path)
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, elements[currentIndex] == .null else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().decode(type) }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> { try next().container(keyedBy: type) }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }

    mutating func superDecoder() throws -> any Decoder { try next() }
}

extension JSON: Decodable {
    /// From this module's decoder as it is; from any other by what it holds.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? JSONValueDecoder {
            self = decoder.value
            return
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let bool = try? container.decode(Bool.self) {
            self = .bool(bool)
        } else if let int = try? container.decode(Int.self) {
            self = .number(Number(int))
        } else if let double = try? container.decode(Double.self) {
            self = Number(double).map(JSON.number) ?? .null
        } else if let string = try? container.decode(String.self) {
            self = .string(string)
        } else if let array = try? container.decode([JSON].self) {
            self = .array(array)
        } else {
            let members = try container.decode([String: JSON].self)
            self = .object(
                Object(
                    members.sorted { Name($0.key) < Name($1.key) }.map { Object.Member(key: $0.key, value: $0.value) }))
        }
    }
}

extension JSON {
    /// Makes a value of any `Decodable` type of it, the reverse of ``init(encoding:)``: an attachment becomes
    /// `[UInt8]`, `Data` or `Bytes`, a text of a date a `Date`; so does a number, of milliseconds since 1970.
    ///
    /// Strings are passed on as they came, whatever their length. Swift compares and hashes them in quadratic time
    /// where a client wants it to; so limit their length, or use ``Name``, before you do either. Where decoding itself
    /// compares (keys, enumerations with raw values, sets of strings), more than 256 bytes that are not ASCII throw.
    ///
    /// - Throws: `DecodingError`, which says where what is missing or of another type.
    public func decoded<T: Decodable>(as type: T.Type = T.self) throws -> T {
        try JSONValueDecoder(self).decode(type)
    }
}

extension JSON.Object.Member {
    /// Checks that a key may be given to a `Decodable` type, or to an encoder, which will compare it as a `String`.
    fileprivate func checkKey(_ codingPath: [any CodingKey]) throws {
        guard !key.isCheapToCompare else { return }
        throw DecodingError.dataCorrupted(
            DecodingError.Context(
                codingPath: codingPath, debugDescription: "a key has \(key.utf8.count) bytes that are not ASCII"))
    }
}

extension JSON {
    /// The beginning of its text, for an error: what a client sends may be long.
    fileprivate var abridged: String {
        switch self {
        case .null, .bool: description
        case .number(let number): Self.beginning(of: number.text)
        case .string(let string): "\"\(Self.beginning(of: string))\""
        case .array(let elements): "an array of \(elements.count)"
        case .object(let object): "an object of \(object.members.count) members"
        case .binary(let bytes): "an attachment of \(bytes.count) bytes"
        }
    }

    private static func beginning(of text: String) -> String {
        guard text.utf8.count > 64 else { return text }
        return String(decoding: text.utf8.prefix(64), as: UTF8.self) + "…"
    }
}

extension String {
    /// Whether Swift's own comparison takes no more than moments: for ASCII, and for what is short.
    fileprivate var isCheapToCompare: Bool { utf8.count <= 256 || utf8.allSatisfy { $0 < 0x80 } }
}
