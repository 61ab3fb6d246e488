/// For coders that have no bytes, such as those of JSON, an array of numbers.
extension Bytes: Codable {
    /// Reads what ``encode(to:)`` writes, which is also what `[UInt8]` is read from.
    public init(from decoder: any Decoder) throws { self.init(try [UInt8](from: decoder)) }

    /// Writes what `[UInt8]` writes.
    public func encode(to encoder: any Encoder) throws { try Array(self).encode(to: encoder) }
}
