import CZlib

/// zlib's own way of compressing messages for permessage-deflate (RFC 7692 §7.2), for a peer to use.
public final class Deflater: @unchecked Sendable {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let keepsContext: Bool

    /// A compressor with a window of 2 to the power `windowBits` bytes.
    public init(windowBits: Int32 = 15, level: Int32 = 6, keepsContext: Bool = true) {
        self.keepsContext = keepsContext
        stream.initialize(to: z_stream())
        let result = deflateInit2_(
            stream, level, Z_DEFLATED, -windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(result == Z_OK, "zlib cannot compress with \(windowBits) window bits")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// A message's payload, compressed.
    ///
    /// - Parameter flush: how zlib is to end it; after `Z_FINISH`, with BFINAL set, nothing is taken away.
    public func message(_ payload: some Collection<UInt8>, flush: Int32 = Z_SYNC_FLUSH) -> [UInt8] {
        if !keepsContext { deflateReset(stream) }
        var input = Array(payload)
        var output = [UInt8](repeating: 0, count: Int(deflateBound(stream, UInt(input.count))) + 64)
        let count = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.pointee.next_in = input.baseAddress
                stream.pointee.avail_in = UInt32(input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                deflate(stream, flush)
                return output.count - Int(stream.pointee.avail_out)
            }
        }
        if flush == Z_FINISH {
            deflateReset(stream)
            return Array(output.prefix(count))
        }
        precondition(output[..<count].suffix(4) == [0, 0, 0xff, 0xff], "a flush ends with an empty block")
        return Array(output.prefix(count - 4))
    }
}

/// The same for what comes in.
public final class Inflater: @unchecked Sendable {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let keepsContext: Bool
    private let room: Int

    /// An inflater with a window of 2 to the power `windowBits` bytes.
    ///
    /// - Parameter room: bytes that zlib may write in one go. It looks for what a message refers to in those as well as
    ///   in the window, so only with 1 it finds out that this lies one byte before the window.
    public init(windowBits: Int32 = 15, keepsContext: Bool = true, room: Int = 64 << 10) {
        self.keepsContext = keepsContext
        self.room = room
        stream.initialize(to: z_stream())
        let result = inflateInit2_(stream, -windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(result == Z_OK, "zlib cannot inflate with \(windowBits) window bits")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// A message's payload, inflated; `nil` where zlib finds it wrong.
    public func message(_ payload: some Collection<UInt8>) -> [UInt8]? {
        if !keepsContext { inflateReset(stream) }
        var input = Array(payload) + [0, 0, 0xff, 0xff]
        var message: [UInt8] = []
        var output = [UInt8](repeating: 0, count: room)
        return input.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            repeat {
                let result = output.withUnsafeMutableBufferPointer { output in
                    stream.pointee.next_out = output.baseAddress
                    stream.pointee.avail_out = UInt32(output.count)
                    return inflate(stream, Z_SYNC_FLUSH)
                }
                guard result == Z_OK || result == Z_BUF_ERROR else { return nil }
                message += output.prefix(output.count - Int(stream.pointee.avail_out))
            } while stream.pointee.avail_in != 0 || stream.pointee.avail_out == 0
            return message
        }
    }
}
