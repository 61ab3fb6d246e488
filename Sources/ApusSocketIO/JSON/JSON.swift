/// A JSON value (RFC 8259), or bytes beside it, as Socket.IO carries them.
///
/// What came in goes out as it came: an object's keys stay in order, and a number keeps its form (`1` does not become
/// `1.0`, nor does a large integer lose digits). It is `Codable`, so it stands for an argument of any type.
///
/// Strings and keys are compared by their bytes, as ``Name`` does it.
public enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Number)
    case string(String)
    case array([JSON])
    case object(Object)
    /// Bytes, which travel as an attachment of their packet.
    case binary([UInt8])

    /// A number, in the form in which it is written.
    public struct Number: Hashable, Sendable {
        /// As RFC 8259 §6 writes it.
        public let text: String

        /// Takes a text that has been checked.
        init(checked text: String) { self.text = text }

        /// A whole number.
        public init(_ value: some BinaryInteger) { text = String(value) }

        /// A number; whole ones are written without a fraction, as JavaScript does.
        ///
        /// `nil` for infinities and for what is no number, which JSON cannot say.
        public init?(_ value: Double) {
            guard value.isFinite else { return nil }
            text = value == value.rounded() && value.magnitude < 1e15 ? String(Int64(value)) : "\(value)"
        }
    }

    /// Members by key, in order.
    public struct Object: Hashable, Sendable {
        /// A key and its value.
        public struct Member: Hashable, Sendable {
            /// What it is called.
            public var key: String
            /// What it is.
            public var value: JSON

            /// Names a value.
            public init(key: String, value: JSON) {
                self.key = key
                self.value = value
            }
        }

        /// All of them, in order. Where one key stands twice, the last one counts.
        public var members: [Member]

        /// Takes members in order; none at first.
        public init(_ members: [Member] = []) { self.members = members }

        /// The value of a key. Setting it keeps the key's place, or appends it; `nil` removes it.
        public subscript(key: String) -> JSON? {
            get { members.last { $0.key.hasSameBytes(as: key) }?.value }
            set {
                guard let newValue else { return members.removeAll { $0.key.hasSameBytes(as: key) } }
                if let index = members.lastIndex(where: { $0.key.hasSameBytes(as: key) }) {
                    members[index].value = newValue
                } else {
                    members.append(Member(key: key, value: newValue))
                }
            }
        }
    }

    /// The text, where it is one.
    public var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    /// The whole number, where it is one that fits.
    public var int: Int? {
        if case .number(let number) = self { Int(number.text) } else { nil }
    }

    /// The number, where it is one.
    public var double: Double? {
        if case .number(let number) = self { Double(number.text) } else { nil }
    }

    /// The truth value, where it is one.
    public var bool: Bool? {
        if case .bool(let bool) = self { bool } else { nil }
    }

    /// The members, where it is an object.
    public var object: Object? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The elements, where it is an array.
    public var array: [JSON]? {
        if case .array(let array) = self { array } else { nil }
    }

    /// The bytes, where it is an attachment.
    public var binary: [UInt8]? {
        if case .binary(let bytes) = self { bytes } else { nil }
    }

    /// A member of an object; `nil` where there is none.
    public subscript(key: String) -> JSON? { object?[key] }

    /// An element of an array; `nil` where there is none.
    public subscript(index: Int) -> JSON? {
        guard let array, array.indices.contains(index) else { return nil }
        return array[index]
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// A literal text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A literal whole number.
    public init(integerLiteral value: Int) { self = .number(Number(value)) }
    /// A literal truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A literal array.
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// A literal object.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(Object(elements.map { Object.Member(key: $0.0, value: $0.1) }))
    }
    /// `nil` is null.
    public init(nilLiteral: ()) { self = .null }
}

extension JSON: CustomStringConvertible {
    /// The value as JSON text; attachments as their placeholders.
    public var description: String {
        var writer = JSONWriter()
        writer.write(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
