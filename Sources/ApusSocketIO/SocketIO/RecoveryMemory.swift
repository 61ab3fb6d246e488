/// What a namespace remembers, so that those whose connection was lost can go on: who they were, and what was sent
/// meanwhile.
struct RecoveryMemory: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Lost {
        let session: RecoveredSession
        let time: Instant
    }

    private struct Sent {
        let offset: String
        let packet: SocketPacket
        let audience: Audience
        let time: Instant
        let size: Int
    }

    private let window: Duration
    private let maxPackets: Int
    private let maxBytes: Int
    private var lost: [Name: Lost] = [:]
    private var sent: [Sent] = []
    private var bytes = 0
    private var count: UInt64 = 0

    init(_ recovery: SocketIOServer.Configuration.Recovery) {
        window = recovery.maxDisconnection
        maxPackets = recovery.maxPackets
        maxBytes = recovery.maxBytes
    }

    /// Remembers an event, and gives it its place as a last argument; one that asks for an acknowledgement cannot be
    /// sent again.
    mutating func record(_ packet: inout SocketPacket, to audience: Audience, now: Instant = .now) {
        guard packet.kind == .event, packet.id == nil, case .array(var content)? = packet.data else { return }
        count += 1
        let offset = String(count, radix: 36)
        content.append(.string(offset))
        packet.data = .array(content)
        let size = content.reduce(0) { $0 + $1.weight }
        sent.append(Sent(offset: offset, packet: packet, audience: audience, time: now, size: size))
        bytes += size
        forgetOld(now)
    }

    /// Drops what is out of its window, and, many at a time, what is too much.
    private mutating func forgetOld(_ now: Instant) {
        var old = sent.prefix { now - $0.time > window }.count
        guard old >= 256 || sent.count > maxPackets || bytes > maxBytes else { return }
        if sent.count - old > maxPackets { old = sent.count - maxPackets / 2 }
        var left = sent[old...].reduce(0) { $0 + $1.size }
        if left > maxBytes {
            while left > maxBytes / 2 {
                left -= sent[old].size
                old += 1
            }
        }
        sent.removeFirst(old)
        bytes = left
    }

    mutating func persist(_ session: RecoveredSession, now: Instant = .now) {
        lost[Name(session.privateID)] = Lost(session: session, time: now)
        if lost.count.isMultiple(of: 256) { lost = lost.filter { now - $0.value.time <= window } }
    }

    /// Once for each that was lost.
    mutating func restore(privateID: String, offset: String, now: Instant = .now) -> Recovery? {
        guard let lost = lost.removeValue(forKey: Name(privateID)), now - lost.time <= window,
            let index = sent.firstIndex(where: { $0.offset.hasSameBytes(as: offset) })
        else { return nil }
        let rooms = lost.session.rooms.union([Name(lost.session.id)])
        let missed = sent[(index + 1)...].filter { $0.audience.includes(rooms) }
        return Recovery(
            session: lost.session, missed: missed.map { BroadcastPacket($0.packet) }, count: count)
    }

    /// What was sent to one who comes back since it was given back what there was.
    func missed(since recovery: Recovery) -> [BroadcastPacket] {
        guard let start = recovery.count, count > start else { return [] }
        let rooms = recovery.session.rooms.union([Name(recovery.session.id)])
        let late = sent.suffix(Int(clamping: count - start)).filter { $0.audience.includes(rooms) }
        return late.map { BroadcastPacket($0.packet) }
    }
}

extension JSON {
    /// About as many bytes as it is kept in.
    fileprivate var weight: Int {
        switch self {
        case .null, .bool: 8
        case .number(let number): 8 + number.text.utf8.count
        case .string(let string): 8 + string.utf8.count
        case .binary(let bytes): 8 + bytes.count
        case .array(let elements): elements.reduce(8) { $0 + $1.weight }
        case .object(let object): object.members.reduce(8) { $0 + $1.key.utf8.count + $1.value.weight }
        }
    }
}
