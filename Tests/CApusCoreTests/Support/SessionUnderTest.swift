import CApusCore
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// An event as a session told it, with copies of its bytes; its reply is one control frame.
enum SessionEvent: Equatable {
    case message(apus_opcode, [UInt8])
    case part(apus_opcode, [UInt8], isLast: Bool)
    case ping([UInt8], reply: Frame?)
    case pong([UInt8])
    case close(UInt16, [UInt8] = [], reply: Frame?)
    case fail(apus_error, reply: Frame?)

    /// A failure that tells the peer, by the code that belongs to the error.
    static func failure(_ error: apus_error) -> Self {
        .fail(error, reply: .close(apus_error_code(error.rawValue)))
    }

    static func text(_ text: String) -> Self { .message(APUS_OPCODE_TEXT, bytes(text)) }
    static func binary(_ payload: [UInt8]) -> Self { .message(APUS_OPCODE_BINARY, payload) }
    static func answered(_ payload: [UInt8]) -> Self { .ping(payload, reply: .pong(payload)) }
}

/// Masking keys from a seed, for `make_key`; it keeps those that it gave.
private final class KeySource {
    private(set) var given: [[UInt8]] = []
    private var generator = SeededGenerator(seed: 10)

    func next() -> apus_masking_key {
        given.append(bigEndian(generator.next(), 4))
        return maskingKey(given.last)
    }
}

/// One session, whose reads lie against a page that cannot be touched.
final class SessionUnderTest {
    let role: apus_role
    private(set) var events: [SessionEvent] = []
    private let session = UnsafeMutablePointer<apus_session>.allocate(capacity: 1)
    private let config = UnsafeMutablePointer<apus_session_config>.allocate(capacity: 1)
    private let event = UnsafeMutablePointer<apus_event>.allocate(capacity: 1)
    private let keys = KeySource()
    private let buffer: GuardedBuffer
    private var keysSeen = 0
    private let agreement: Agreement?

    init(
        _ role: apus_role, limits: apus_message_limits = .roomy, isOpen: Bool = true,
        compression: Agreement? = nil, buffer: GuardedBuffer = GuardedBuffer(minimumCapacity: 4096)
    ) {
        agreement = compression
        self.role = role
        self.buffer = buffer
        config.initialize(to: apus_session_config())
        config.pointee.role = role
        config.pointee.limits = limits
        if role == APUS_ROLE_CLIENT {  // a server masks nothing and needs no keys
            config.pointee.make_key = { context in
                Unmanaged<KeySource>.fromOpaque(context!).takeUnretainedValue().next()  // set below
            }
            config.pointee.context = Unmanaged.passUnretained(keys).toOpaque()
        }
        apus_session_init(session, config)
        if let compression {
            apus_session_set_compression(session, compression.makeCompression(role))
        }
        if isOpen {
            apus_session_open(session)
        }
    }

    deinit {
        apus_session_deinit(session)
        session.deallocate()
        config.deallocate()
        event.deallocate()
    }

    var state: apus_state { apus_state(rawValue: UInt32(session.pointee.state)) }
    var isOpen: Bool { apus_session_is_open(session) }
    private var peer: apus_role { role == APUS_ROLE_SERVER ? APUS_ROLE_CLIENT : APUS_ROLE_SERVER }

    func open() { apus_session_open(session) }
    func end() { apus_session_end(session) }
    func giveParts() { apus_session_give_parts(session) }
    func forgetMessage() { apus_session_forget_message(session) }

    /// The payload that was taken over, which is freed here; `nil` where there is none.
    func takePayload(_ count: Int) -> [UInt8]? {
        guard let payload = apus_session_take_payload(session) else { return nil }
        defer { apus_free(payload) }
        return Array(UnsafeBufferPointer(start: payload, count: count))
    }

    // MARK: Bytes in

    /// Takes in the bytes of one read, to their end.
    func receive(_ input: some Collection<UInt8>) {
        let start = lay(input)
        var taken = 0
        repeat {
            let (count, event) = step(start + taken, input.count - taken)
            taken += count
            if let event {
                events.append(event)
            } else {
                #expect(taken == input.count, "without an event all bytes are taken")
                return
            }
        } while taken < input.count
    }

    /// Where the next bytes will be kept, and how many there is room for. `apus_session_find_place`
    var room: (place: UnsafeMutablePointer<UInt8>, size: Int)? {
        var size = 0
        return apus_session_find_place(session, &size).map { ($0, size) }
    }

    /// The same as ``receive(_:)``, but what the session has a place for is read to there. `apus_session_find_place`
    func receiveInPlace(_ input: some Collection<UInt8>) {
        guard let (place, size) = room else { return receive(input) }
        let count = min(size, input.count)
        _ = UnsafeMutableBufferPointer(start: place, count: count).update(from: input.prefix(count))
        let (taken, event) = step(place, count)
        #expect(taken == count, "it is all of one message")
        if let event { events.append(event) }
        if count < input.count { receive(input.dropFirst(count)) }
    }

    /// Takes in up to the first event; the bytes behind it are not given again.
    func receiveOne(_ input: [UInt8]) -> SessionEvent? {
        step(lay(input), input.count).event
    }

    private func lay(_ input: some Collection<UInt8>) -> UnsafeMutablePointer<UInt8> {
        precondition(input.count <= buffer.capacity, "the buffer is too small for the test")
        let start = buffer.end - input.count
        _ = UnsafeMutableBufferPointer(start: start, count: input.count).update(from: input)
        return start
    }

    private func step(_ data: UnsafeMutablePointer<UInt8>, _ count: Int) -> (taken: Int, event: SessionEvent?) {
        memset(event, 0xa5, MemoryLayout<apus_event>.size)  // nothing may be left from the last
        let taken = apus_session_receive(session, data, count, event)
        precondition((0...count).contains(taken), "more was taken than there is")
        return (taken, copy(event.pointee))
    }

    private func copy(_ event: apus_event) -> SessionEvent? {
        let replied = withUnsafeBytes(of: event.reply) { Array($0.prefix(Int(event.reply_len))) }
        let reply = replied.isEmpty ? nil : frame(replied)
        var payload: [UInt8] { Array(UnsafeBufferPointer(start: event.data, count: event.len)) }
        switch event.kind {
        case APUS_EVENT_MESSAGE:
            #expect(reply == nil)
            return .message(event.opcode, payload)
        case APUS_EVENT_PART, APUS_EVENT_LAST_PART:
            #expect(reply == nil)
            return .part(event.opcode, payload, isLast: event.kind == APUS_EVENT_LAST_PART)
        case APUS_EVENT_PING: return .ping(payload, reply: reply)
        case APUS_EVENT_PONG:
            #expect(reply == nil)
            return .pong(payload)
        case APUS_EVENT_CLOSE: return .close(event.code, payload, reply: reply)
        case APUS_EVENT_FAIL: return .fail(apus_error(rawValue: event.error), reply: reply)
        default:
            #expect(event.kind == APUS_EVENT_NONE && reply == nil)
            return nil
        }
    }

    // MARK: Bytes out

    /// Starts the closing handshake; the Close frame to send, or the error.
    func close(_ code: UInt16, _ reason: [UInt8] = []) -> Result<Frame?, CoreError> {
        sent { apus_session_close(session, code, reason, reason.count, $0) }
    }

    /// The Ping or Pong frame to send, or the error.
    func control(_ opcode: apus_opcode, _ payload: [UInt8] = []) -> Result<Frame?, CoreError> {
        sent { apus_session_control(session, opcode, payload, payload.count, $0) }
    }

    private func sent(_ write: (UnsafeMutablePointer<UInt8>) -> Int) -> Result<Frame?, CoreError> {
        var out = [UInt8](repeating: 0, count: 6 + Int(APUS_CONTROL_PAYLOAD_SIZE))  // APUS_CONTROL_FRAME_SIZE
        let size = out.withUnsafeMutableBufferPointer { write($0.baseAddress!) }  // not empty
        if size < 0 {
            return .failure(CoreError(code: apus_error(rawValue: Int32(size))))
        }
        return .success(frame(Array(out.prefix(size))))
    }

    /// A frame that goes to the peer: one whole control frame, masked by a client only, and each with a fresh key.
    private func frame(_ bytes: [UInt8]) -> Frame? {
        guard let (frame, key) = Frame.ofControl(bytes, to: peer) else {
            Issue.record("what is sent is no control frame: \(bytes)")
            return nil
        }
        if role == APUS_ROLE_CLIENT {
            #expect(keysSeen < keys.given.count && key == keys.given[keysSeen])
            keysSeen += 1
        }
        #expect(keys.given.count == keysSeen)
        return frame
    }
}

extension apus_message_limits {
    /// No test message comes near them.
    static let roomy = Self(size: 1 << 20, fragments: 10_000)
}

/// What came of some bytes.
struct SessionOutcome: Equatable {
    let events: [SessionEvent]
    let state: apus_state

    init(events: [SessionEvent], state: apus_state) {
        self.events = events
        self.state = state
    }

    /// Feeds the bytes, in pieces that end at `cuts`, to a session of their own.
    init(
        of input: [UInt8], cuts: [Int] = [], inPlace: Bool = false, to role: apus_role,
        limits: apus_message_limits = .roomy, compression: Agreement? = nil, buffer: GuardedBuffer
    ) {
        let cuts = cuts + [input.count]
        let held = apus_memory_here()
        (events, state) = Self.feed(
            input, cuts, inPlace, SessionUnderTest(role, limits: limits, compression: compression, buffer: buffer))
        // A pool that several sessions share may keep what it made.
        #expect(compression != nil || apus_memory_here() == held, "the session leaks memory")
    }

    private static func feed(
        _ input: [UInt8], _ cuts: [Int], _ inPlace: Bool, _ session: consuming SessionUnderTest
    ) -> ([SessionEvent], apus_state) {
        var start = 0
        for cut in cuts {
            if inPlace { session.receiveInPlace(input[start..<cut]) } else { session.receive(input[start..<cut]) }
            start = cut
        }
        return (session.events, session.state)
    }
}

/// The events that the bytes bring, whole, byte by byte, and cut in two at every position, read anywhere or in place:
/// all must be the same.
func eventsInEveryWay(
    _ input: [UInt8], to role: apus_role, limits: apus_message_limits = .roomy, compression: Agreement? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) -> [SessionEvent] {
    let buffer = GuardedBuffer(minimumCapacity: input.count)
    let whole = SessionOutcome(of: input, to: role, limits: limits, compression: compression, buffer: buffer)
    let bytewise = SessionOutcome(
        of: input, cuts: Array(input.indices), to: role, limits: limits, compression: compression, buffer: buffer)
    #expect(bytewise == whole, "byte by byte", sourceLocation: sourceLocation)
    for cut in input.indices {
        for inPlace in [false, true] {
            let pieces = SessionOutcome(
                of: input, cuts: [cut], inPlace: inPlace, to: role, limits: limits, compression: compression,
                buffer: buffer)
            #expect(pieces == whole, "cut at \(cut), in place: \(inPlace)", sourceLocation: sourceLocation)
        }
    }
    return whole.events
}

func eventsInEveryWay(
    _ frames: [Frame], to role: apus_role, limits: apus_message_limits = .roomy, compression: Agreement? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) -> [SessionEvent] {
    eventsInEveryWay(
        wire(frames, to: role), to: role, limits: limits, compression: compression, sourceLocation: sourceLocation)
}
