import CApus
import CApusCore
import CApusInternals
import Foundation
import TestSupport
import Testing

/// The memory alone: both ends before a stream has them.
@Suite(.computing) struct PipeTests {
    private static let size = 64 * 1024

    /// Two ends, freed with this object.
    private final class Ends {
        let one: OpaquePointer
        let other: OpaquePointer

        init() throws {
            var ends: (OpaquePointer?, OpaquePointer?) = (nil, nil)
            let error = withUnsafeMutablePointer(to: &ends) {
                $0.withMemoryRebound(to: OpaquePointer?.self, capacity: 2) { apus__pipe_new($0) }
            }
            try #require(error == 0)
            one = try #require(ends.0)
            other = try #require(ends.1)
        }

        deinit {
            apus__pipe_free(one)
            apus__pipe_free(other)
        }
    }

    /// How many bytes were taken, or the negative errno.
    private static func send(_ end: OpaquePointer, _ pieces: [[UInt8]]) -> Int {
        var bytes = pieces.flatMap { $0 }
        return bytes.withUnsafeMutableBytes { bytes in
            var start = 0
            let vectors = pieces.map { piece in
                defer { start += piece.count }
                return iovec(iov_base: bytes.baseAddress.map { $0 + start }, iov_len: piece.count)
            }
            let sent = apus__pipe_send(end, vectors, CInt(vectors.count))
            return sent < 0 ? -Int(errno) : sent
        }
    }

    private enum Received: Equatable {
        case bytes([UInt8])
        case end
        case nothingYet
    }

    private static func receive(_ end: OpaquePointer, most: Int = size) -> Received {
        var bytes = [UInt8](repeating: 0, count: most)
        let count = apus__pipe_receive(end, &bytes, most)
        if count < 0 { return .nothingYet }
        return count == 0 ? .end : .bytes(Array(bytes.prefix(count)))
    }

    @Test func `what one end sends the other receives, in order, both ways`() throws {
        let ends = try Ends()
        #expect(Self.receive(ends.other) == .nothingYet)
        #expect(Self.send(ends.one, [[1, 2], [], [3]]) == 3)
        #expect(Self.send(ends.one, [[4]]) == 1)
        #expect(Self.send(ends.other, [[9]]) == 1)
        #expect(Self.receive(ends.other, most: 2) == .bytes([1, 2]))
        #expect(Self.receive(ends.other) == .bytes([3, 4]))
        #expect(Self.receive(ends.one) == .bytes([9]))
        #expect(Self.receive(ends.one) == .nothingYet)
    }

    @Test func `a full end takes what there is room for, and then nothing`() throws {
        let ends = try Ends()
        let bytes = (0..<Self.size).map { UInt8(truncatingIfNeeded: $0) }
        #expect(Self.send(ends.one, [Array(bytes.dropLast(2))]) == Self.size - 2)
        #expect(Self.send(ends.one, [[1], [2, 3]]) == 2)
        #expect(Self.send(ends.one, [[4]]) == -Int(EAGAIN))
        #expect(Self.receive(ends.other, most: 1) == .bytes([0]))
        #expect(Self.send(ends.one, [[4, 5]]) == 1)
        #expect(Self.receive(ends.other) == .bytes(bytes[1..<(Self.size - 2)] + [1, 2, 4]))
    }

    /// Many sizes, so that pieces and reads are cut at the ring's end in all ways.
    @Test func `bytes stay in order round and round`() throws {
        let ends = try Ends()
        var (next, expected) = (0, 0)
        for round in 1...2000 {
            let piece = (0..<(round * 7919 % 9000)).map { UInt8(truncatingIfNeeded: (next + $0) % 251) }
            let sent = Self.send(ends.one, [Array(piece.prefix(10)), Array(piece.dropFirst(10))])
            if sent > 0 { next += sent }
            guard case .bytes(let bytes) = Self.receive(ends.other, most: 1 + round * 104_729 % 8000) else { continue }
            try #require(bytes == bytes.indices.map { UInt8(truncatingIfNeeded: (expected + $0) % 251) })
            expected += bytes.count
        }
        #expect(expected > 1 << 20)
    }

    @Test func `an end that has finished can still receive`() throws {
        let ends = try Ends()
        #expect(Self.send(ends.one, [[1]]) == 1)
        apus__pipe_finish(ends.one)
        #expect(Self.receive(ends.other) == .bytes([1]))
        #expect(Self.receive(ends.other) == .end)
        #expect(Self.send(ends.other, [[2]]) == 1)
        #expect(Self.receive(ends.one) == .bytes([2]))
    }

    @Test func `what was sent before the close is received, then the end; sending fails`() throws {
        let ends = try Ends()
        #expect(Self.send(ends.one, [[1]]) == 1)
        apus__pipe_close(ends.one)
        #expect(Self.send(ends.other, [[2]]) == -Int(EPIPE))
        #expect(Self.receive(ends.other) == .bytes([1]))
        #expect(Self.receive(ends.other) == .end)
    }
}
