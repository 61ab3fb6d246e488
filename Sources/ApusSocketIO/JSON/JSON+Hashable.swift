/// Equality by bytes: canonically equivalent texts are different, as in JavaScript, and to compare a text from a client
/// costs no more than to read it.
extension JSON {
    /// Whether two values are written the same.
    public static func == (one: Self, other: Self) -> Bool {
        switch (one, other) {
        case (.null, .null): true
        case (.bool(let one), .bool(let other)): one == other
        case (.number(let one), .number(let other)): one == other
        case (.string(let one), .string(let other)): one.hasSameBytes(as: other)
        case (.array(let one), .array(let other)): one == other
        case (.object(let one), .object(let other)): one == other
        case (.binary(let one), .binary(let other)): one == other
        default: false
        }
    }

    /// Feeds the value to a hasher.
    public func hash(into hasher: inout Hasher) {
        switch self {
        case .null: hasher.combine(0)
        case .bool(let bool): hasher.combine(bool)
        case .number(let number): hasher.combine(number)
        case .string(let string): string.hashBytes(into: &hasher)
        case .array(let elements): hasher.combine(elements)
        case .object(let object): hasher.combine(object)
        case .binary(let bytes): hasher.combine(bytes)
        }
    }
}

extension JSON.Object.Member {
    /// Whether keys and values are the same.
    public static func == (one: Self, other: Self) -> Bool {
        one.key.hasSameBytes(as: other.key) && one.value == other.value
    }

    /// Feeds key and value to a hasher.
    public func hash(into hasher: inout Hasher) {
        key.hashBytes(into: &hasher)
        hasher.combine(value)
    }
}

extension JSON {
    /// About as many bytes of memory as the value takes up.
    var footprint: Int { MemoryLayout<JSON>.stride + content }

    /// What it keeps outside of itself.
    private var content: Int {
        switch self {
        case .null, .bool: 0
        case .number(let number): number.text.footprint
        case .string(let string): string.footprint
        case .binary(let bytes): Self.header + bytes.count
        case .array(let elements): elements.reduce(elements.isEmpty ? 0 : Self.header) { $0 + $1.footprint }
        case .object(let object):
            object.members.reduce(object.members.isEmpty ? 0 : Self.header) { sum, member in
                sum + MemoryLayout<String>.stride + member.key.footprint + member.value.footprint
            }
        }
    }

    /// What an array's memory has in front of its elements.
    private static let header = 32
}

extension String {
    /// What it keeps outside of itself: short ones keep nothing.
    fileprivate var footprint: Int { utf8.count <= 15 ? 0 : 32 + utf8.count }
}
