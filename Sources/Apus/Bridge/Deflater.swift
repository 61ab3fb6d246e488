import CApus

/// Whole texts through the core's DEFLATE (RFC 1951).
enum Deflater {
    /// A message's end is a flush, whose last four bytes are not sent (RFC 7692 §7.2.1); a stream of its own needs
    /// them, and then an empty last block.
    private static let end: [UInt8] = [0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00]

    /// The bytes as a complete DEFLATE stream.
    static func compress(_ bytes: [UInt8], level: CInt = 6) -> [UInt8] {
        var out = apus_bytes()
        defer { apus_bytes_deinit(&out) }
        // Swift's own allocations end the process when memory is out, too.
        guard let deflater = apus_deflater_new(level, 15) else { preconditionFailure("apus: memory is out") }
        defer { apus_deflater_free(deflater) }
        let error = apus_deflater_compress(deflater, bytes, bytes.count, &out)
        precondition(error == 0, "apus: memory is out while compressing")
        return Array(UnsafeBufferPointer(start: out.data, count: out.len)) + end
    }
}
