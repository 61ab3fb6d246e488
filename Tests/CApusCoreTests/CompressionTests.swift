import CApusCore
import TestSupport
import Testing

/// What a session sends.
private final class Sender {
    private let agreement: Agreement
    private let pointer: OpaquePointer

    init(_ role: apus_role, _ agreement: Agreement) {
        self.agreement = agreement
        pointer = agreement.makeCompression(role)
    }

    deinit { apus_compression_free(pointer) }

    var threshold: Int { apus_compression_threshold(pointer) }
    var windowBits: UInt32 { apus_compression_window_bits(pointer) }

    /// The payload with RSV1 set; `nil` where the message goes as it is.
    func compress(_ message: [UInt8]) -> [UInt8]? {
        message.withUnsafeBufferPointer { message in
            var data = message.baseAddress
            var count = message.count
            guard apus_compression_deflate(pointer, &data, &count) else {
                #expect(data == message.baseAddress && count == message.count)
                return nil
            }
            return Array(UnsafeBufferPointer(start: data, count: count))
        }
    }

    func restart() { apus_compression_restart(pointer) }
}

struct CompressionTests {
    @Test(arguments: bothRoles)
    func `each end compresses with its own window and context, and inflates with the other's`(
        role: apus_role
    ) {
        let agreement = Agreement(serverBits: 10, clientBits: 12)
        agreement.parameters.client_no_context_takeover = true
        let sender = Sender(role, agreement)
        #expect(sender.windowBits == (role == APUS_ROLE_SERVER ? 10 : 12))
        let message = noise(500)
        let small = sender.compress(message)
        let again = sender.compress(message)
        if role == APUS_ROLE_SERVER {
            #expect(small != nil)
            #expect((again?.count ?? .max) < 50)
        } else {
            // Noise by itself does not shrink.
            #expect(small == nil && again == nil)
        }
    }

    @Test(arguments: [(false, APUS_OK), (true, APUS_ENOMEM)])
    func `without context an inflater is lent by the pool, with context each session has its own`(
        keepsContext: Bool, error: apus_error
    ) throws {
        let agreement = Agreement(keepsContext: keepsContext)
        let compressed = try #require(Sender(APUS_ROLE_CLIENT, agreement).compress([UInt8](repeating: 7, count: 100)))
        let receivers = (0..<2).map { _ in agreement.makeCompression(APUS_ROLE_SERVER) }
        var payload = apus_bytes()
        #expect(apus_bytes_reserve(&payload, 1000) == 0)
        #expect(apus_compression_inflate(receivers[0], compressed, compressed.count, 1000, &payload) == 0)
        #expect(apus_compression_end_message(receivers[0], 1000, &payload) == 0)
        #expect(payload.len == 100)
        apus_alloc_fail(1)
        let result = apus_compression_inflate(receivers[1], compressed, compressed.count, 1000, &payload)
        apus_alloc_fail(0)
        #expect(result == error.rawValue)
        for receiver in receivers { apus_compression_free(receiver) }
        apus_bytes_deinit(&payload)
    }

    @Test(arguments: bothCompressors) func `without context, what does not shrink goes as it is`(level: CInt) {
        let agreement = Agreement(keepsContext: false, level: level)
        let sender = Sender(APUS_ROLE_SERVER, agreement)
        var sizes: (smaller: Int, equal: Int, larger: Int) = (0, 0, 0)
        for repeated in 0..<120 {
            let message = noise(200, seed: UInt64(repeated)) + [UInt8](repeating: 7, count: repeated / 4)
            let before = agreement.pool.pointee.counts.bytes_deflated
            let result = sender.compress(message)
            let size = Int(agreement.pool.pointee.counts.bytes_deflated - before)
            #expect((result != nil) == (size < message.count))
            if size < message.count { sizes.smaller += 1 }
            if size == message.count { sizes.equal += 1 }
            if size > message.count { sizes.larger += 1 }
        }
        #expect(sizes.smaller > 0 && sizes.equal > 0 && sizes.larger > 0)
    }

    @Test func `small messages and empty ones go as they are`() {
        let sender = Sender(APUS_ROLE_SERVER, Agreement(threshold: 100))
        #expect(sender.threshold == 100)
        #expect(sender.compress(prose(99)) == nil)
        #expect(sender.compress(prose(100)) != nil)
        #expect(Sender(APUS_ROLE_SERVER, Agreement()).compress([]) == nil)
    }

    @Test func `whoever is told to use the window that zlib cannot compress with sends all as it is`() {
        let client = Sender(APUS_ROLE_CLIENT, Agreement(clientBits: 8))
        #expect(client.threshold == Int(bitPattern: .max))
        #expect(client.compress(prose(100_000)) == nil)
    }

    @Test(arguments: bothCompressors)
    func `without context every message can be inflated by itself, whoever sends in between`(level: CInt) {
        let agreement = Agreement(keepsContext: false, level: level)
        let senders = (0..<5).map { _ in Sender(APUS_ROLE_SERVER, agreement) }
        for round in 0..<20 as Range<UInt64> {
            for sender in senders {
                let message = prose(Int(round) * 50 + 100, seed: round)
                #expect(sender.compress(message).flatMap { Inflater().message($0) } == message)
            }
        }
        #expect(agreement.pool.pointee.counts.messages_deflated == 100)
    }

    @Test(arguments: bothCompressors)
    func `with context the peer inflates all, in order, whoever sends in between`(level: CInt) {
        let agreement = Agreement(level: level)
        let pairs = (0..<5).map { _ in (Sender(APUS_ROLE_SERVER, agreement), Inflater()) }
        for round in 0..<50 as Range<UInt64> {
            for (sender, inflater) in pairs {
                let message = round % 3 == 0 ? noise(200, seed: round) : prose(200, seed: round)
                // Even noise is sent compressed: the messages behind it may refer to it.
                #expect(sender.compress(message).flatMap { inflater.message($0) } == message)
            }
        }
    }

    @Test(arguments: bothCompressors, bothCompressors)
    func `a message compressed elsewhere may take the place of one's own`(level: CInt, otherLevel: CInt) throws {
        let agreement = Agreement(level: level)
        let (sender, inflater) = (Sender(APUS_ROLE_SERVER, agreement), Inflater())
        let other = Sender(APUS_ROLE_SERVER, Agreement(keepsContext: false, level: otherLevel))
        for round in 0..<20 as Range<UInt64> {
            let message = prose(2000, seed: round)
            if round % 3 == 1 {
                let shared = try #require(other.compress(message))
                sender.restart()
                #expect(inflater.message(shared) == message)
            } else {
                #expect(sender.compress(message).flatMap { inflater.message($0) } == message)
            }
        }
    }

    @Test(arguments: bothCompressors)
    func `behind a message compressed elsewhere the own context begins again, once`(level: CInt) throws {
        let sender = Sender(APUS_ROLE_SERVER, Agreement(level: level))
        let message = noise(500)
        let first = try #require(sender.compress(message))
        #expect(try #require(sender.compress(message)).count < 50)
        sender.restart()
        #expect(sender.compress(message) == first)
        #expect(try #require(sender.compress(message)).count < 50)
    }

    @Test(arguments: bothCompressors)
    func `where memory is out a message goes as it is, and the next one can be inflated`(level: CInt) {
        let agreement = Agreement(level: level)
        let (sender, inflater) = (Sender(APUS_ROLE_SERVER, agreement), Inflater())
        for nth in 1...8 as ClosedRange<UInt32> {
            let message = noise(3000 * Int(nth), seed: UInt64(nth))
            apus_alloc_fail(nth)
            let first = sender.compress(message)
            apus_alloc_fail(0)
            if let first { #expect(inflater.message(first) == message) }
            #expect(sender.compress(message).flatMap { inflater.message($0) } == message)
        }
    }
}
