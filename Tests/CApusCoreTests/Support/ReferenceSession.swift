import CApusCore

/// What RFC 6455 §5 to §7 asks of an endpoint, one whole frame after the other and in no hurry.
struct ReferenceSession {
    let role: apus_role
    let limits: apus_message_limits
    private(set) var state = APUS_STATE_OPEN
    private(set) var events: [SessionEvent] = []
    private var message: (opcode: apus_opcode, payload: [UInt8], fragments: UInt32)?

    init(_ role: apus_role, limits: apus_message_limits) {
        self.role = role
        self.limits = limits
    }

    /// This end starts the closing handshake.
    mutating func close() {
        if state == APUS_STATE_OPEN {
            state = APUS_STATE_CLOSING
        }
    }

    mutating func receive(_ frame: Frame) {
        if state == APUS_STATE_CLOSED {
            return
        } else if !isWellFormed(frame) {
            fail(APUS_EPROTO)
        } else if frame.isControl {
            receiveControl(frame)
        } else {
            receiveData(frame)
        }
    }

    private func isWellFormed(_ frame: Frame) -> Bool {
        let isKnown = [0, 1, 2, 8, 9, 10].contains(frame.opcode.rawValue)
        let form = frame.form ?? .minimal(for: UInt64(frame.payload.count))
        return isKnown && frame.reserved == 0 && !frame.isMaskingWrong
            && form == .minimal(for: UInt64(frame.payload.count))
            && (!frame.isControl || frame.fin && frame.payload.count <= 125)
    }

    private mutating func receiveControl(_ frame: Frame) {
        switch frame.opcode {
        case APUS_OPCODE_PING:
            if state == APUS_STATE_OPEN {
                events.append(.answered(frame.payload))
            }
        case APUS_OPCODE_PONG:
            events.append(.pong(frame.payload))
        default:
            receiveClose(frame.payload)
        }
    }

    private mutating func receiveClose(_ payload: [UInt8]) {
        guard !payload.isEmpty else {
            events.append(.close(1005, reply: state == APUS_STATE_OPEN ? .close() : nil))
            state = APUS_STATE_CLOSED
            return
        }
        let code = payload.count > 1 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : 0
        let reason = Array(payload.dropFirst(2))
        guard [1000...1003, 1007...1014, 3000...4999].contains(where: { $0 ~= code }) else {
            fail(APUS_EPROTO)
            return
        }
        guard isText(reason) else {
            fail(APUS_EUTF8)
            return
        }
        events.append(.close(code, reason, reply: state == APUS_STATE_OPEN ? .close(code) : nil))
        state = APUS_STATE_CLOSED
    }

    private mutating func receiveData(_ frame: Frame) {
        let isContinuation = frame.opcode == APUS_OPCODE_CONTINUATION
        guard isContinuation == (message != nil) else {
            fail(APUS_EPROTO)
            return
        }
        let opcode = message?.opcode ?? frame.opcode
        let payload = (message?.payload ?? []) + frame.payload
        let fragments = (message?.fragments ?? 0) + 1
        if payload.count > limits.size {
            fail(APUS_ETOOBIG)
        } else if fragments > limits.fragments {
            fail(APUS_EFRAGMENTS)
        } else if opcode == APUS_OPCODE_TEXT && !(frame.fin ? isText(payload) : isStartOfText(payload)) {
            fail(APUS_EUTF8)
        } else if frame.fin {
            message = nil
            if state == APUS_STATE_OPEN {
                events.append(.message(opcode, payload))
            }
        } else {
            message = (opcode, payload, fragments)
        }
    }

    private func isText(_ payload: [UInt8]) -> Bool {
        let verdict = RFC3629.judge(payload)
        return verdict.index == payload.count && verdict.isComplete
    }

    private func isStartOfText(_ payload: [UInt8]) -> Bool {
        RFC3629.judge(payload).index == payload.count
    }

    private mutating func fail(_ error: apus_error) {
        let code: UInt16 =
            switch error {
            case APUS_EPROTO: 1002
            case APUS_EUTF8: 1007
            default: 1009
            }
        events.append(.fail(error, reply: state == APUS_STATE_OPEN ? .close(code) : nil))
        state = APUS_STATE_CLOSED
    }
}
