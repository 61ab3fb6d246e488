import CApusCore
import TestSupport
import Testing

/// A Close frame's payload as the core read it.
private enum Outcome: Equatable {
    case close(UInt16, reason: [UInt8])
    case refused(apus_error)
}

/// Has payloads read and written; they lie against pages that cannot be touched.
private struct Closes {
    private let input = GuardedBuffer(minimumCapacity: 4096)
    private let output = GuardedBuffer()

    private func lay(_ bytes: [UInt8], against edge: GuardedInput.Edge = .end) -> UnsafePointer<UInt8> {
        let start = edge == .start ? input.start : input.end - bytes.count
        for (index, byte) in bytes.enumerated() {
            start[index] = byte
        }
        return UnsafePointer(start)
    }

    func read(_ payload: [UInt8], against edge: GuardedInput.Edge = .end) -> Outcome {
        let start = lay(payload, against: edge)
        var close = apus_close(code: 0, reason: start, reason_len: 0)
        let result = apus_close_parse(start, payload.count, &close)
        guard result == APUS_OK.rawValue else { return .refused(apus_error(rawValue: result)) }
        return .close(close.code, reason: Array(UnsafeBufferPointer(start: close.reason, count: close.reason_len)))
    }

    /// The payload with that code and reason; `nil` where APUS_EINVAL says that there is none.
    func write(_ code: UInt16, _ reason: [UInt8]) -> [UInt8]? {
        let payload = output.end - Int(APUS_CONTROL_PAYLOAD_SIZE)
        let size = apus_close_encode(payload, code, lay(reason), reason.count)
        if size < 0 {
            #expect(size == Int(APUS_EINVAL.rawValue))
            return nil
        }
        return Array(UnsafeBufferPointer(start: payload, count: size))
    }
}

private func read(_ payload: [UInt8], against edge: GuardedInput.Edge = .end) -> Outcome {
    Closes().read(payload, against: edge)
}

private func write(_ code: UInt16, _ reason: [UInt8]) -> [UInt8]? {
    Closes().write(code, reason)
}

private func payload(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] {
    bigEndian(UInt64(code), 2) + reason
}

private let noStatus = UInt16(APUS_CLOSE_NO_STATUS)
private let mostReason = Int(APUS_CLOSE_REASON_SIZE)
private let allCodes = UInt16.min ... .max

struct CloseTests {
    /// IANA's registry of WebSocket close codes, without those that are "reserved" or never on the wire, and the
    /// ranges of §7.4.2.
    private static let sendable: Set<UInt16> = Set(
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014] + Array(3000...4999))

    // MARK: Codes (RFC 6455 §7.4)

    @Test func `of all 65536 codes, only those that are registered or of a range for applications may be sent`() {
        #expect(allCodes.filter(apus_close_code_is_sendable) == Self.sendable.sorted())
    }

    @Test func `a code that may be sent is read`() {
        let closes = Closes()
        for code in allCodes {
            let expected: Outcome = Self.sendable.contains(code) ? .close(code, reason: []) : .refused(APUS_EPROTO)
            if closes.read(payload(code)) != expected {
                Issue.record("code \(code)")
            }
        }
    }

    @Test func `a code that may be sent is written, with a reason or without`() {
        let closes = Closes()
        for code in allCodes where code != noStatus {
            let isSendable = Self.sendable.contains(code)
            let expected = { isSendable ? payload(code, $0) : nil }
            for reason in [[], bytes("why")] where closes.write(code, reason) != expected(reason) {
                Issue.record("code \(code)")
            }
        }
    }

    // MARK: Sizes (§5.5.1)

    @Test func `an empty payload is a Close without status, and the other way round`() {
        #expect(read([]) == .close(noStatus, reason: []))
        #expect(write(noStatus, []) == [])
    }

    @Test func `a payload of one byte is half a code, and refused`() {
        for byte in UInt8.min ... .max {
            #expect(read([byte]) == .refused(APUS_EPROTO))
        }
    }

    @Test(arguments: [0, 1, 2, 63, 64, 65, 122, 123]) func `a reason has up to 123 bytes`(count: Int) {
        let reason = [UInt8](repeating: UInt8(ascii: "a"), count: count)
        for edge in [GuardedInput.Edge.start, .end] {
            #expect(read(payload(1000, reason), against: edge) == .close(1000, reason: reason))
        }
        #expect(write(1000, reason) == payload(1000, reason))
    }

    @Test(arguments: [124, 125, 126, 1000]) func `a longer reason is not written`(count: Int) {
        let reason = [UInt8](repeating: UInt8(ascii: "a"), count: count)
        #expect(write(1000, reason) == nil)
    }

    @Test func `a reason without a code is not written`() {
        #expect(write(noStatus, bytes("why")) == nil)
    }

    @Test func `a reason that is not there is not written`() {
        var payload = [UInt8](repeating: 0, count: Int(APUS_CONTROL_PAYLOAD_SIZE))
        #expect(apus_close_encode(&payload, 1000, nil, 0) == 2)
        #expect(apus_close_encode(&payload, 1000, nil, 1) == Int(APUS_EINVAL.rawValue))
    }

    // MARK: Reasons

    @Test(arguments: ["", "gehüpft wie gesprungen", "κόσμε", "\u{0}", "\u{10ffff}", "🦊🦊🦊"])
    func `a reason is UTF-8, whatever it says`(text: String) {
        let reason = bytes(text)
        #expect(read(payload(4999, reason)) == .close(4999, reason: reason))
        #expect(write(4999, reason) == payload(4999, reason))
    }

    @Test func `a reason that is not UTF-8 is neither read nor written`() {
        let fox = bytes("🦊")
        for reason in [
            [0x80], [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], Array(fox.prefix(1)),
            Array(fox.prefix(2)), Array(fox.prefix(3)), fox + [0xbf], bytes("ab") + [0xe2, 0x82],
        ] as [[UInt8]] {
            #expect(read(payload(1000, reason)) == .refused(APUS_EUTF8))
            #expect(write(1000, reason) == nil)
        }
    }

    @Test func `a character that the longest reason would cut is refused`() {
        for filled in (mostReason - 3)...(mostReason - 1) {
            let reason = [UInt8](repeating: UInt8(ascii: "a"), count: filled) + bytes("🦊").prefix(mostReason - filled)
            #expect(read(payload(1000, reason)) == .refused(APUS_EUTF8))
        }
    }

    @Test func `reasons are judged as RFC 3629 does`() {
        var generator = SeededGenerator(seed: 74)
        let pieces: [[UInt8]] = ["a", "ü", "€", "🦊"].map(bytes) + [[0x80], [0xe2, 0x82], [0xed, 0xa0], [0xff]]
        var valid = 0
        for _ in 0..<2000 {
            let count = Int.random(in: 0...12, using: &generator)
            let range = Int.random(in: 4...pieces.count, using: &generator)
            let reason = (0..<count).flatMap { _ in pieces[Int.random(in: 0..<range, using: &generator)] }
            let verdict = RFC3629.judge(reason)
            let isValid = verdict.index == reason.count && verdict.isComplete
            valid += isValid ? 1 : 0
            #expect(read(payload(3000, reason)) == (isValid ? .close(3000, reason: reason) : .refused(APUS_EUTF8)))
        }
        #expect((200...1800).contains(valid))
    }

    @Test func `a wrong code is told before a wrong reason`() {
        #expect(read(payload(1005, [0xff])) == .refused(APUS_EPROTO))
        #expect(read(payload(0, [0xff])) == .refused(APUS_EPROTO))
    }
}
