/// What a namespace remembers, so that those whose connection was lost can go on: who they were, and what was sent
/// meanwhile.
struct RecoveryMemory: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Lost {
        let session: RecoveredSession
        let time: Instant
        let size: Int
        /// The memory that it takes up.
        let footprint: Int
        /// Its place in ``departures``.
        let number: UInt64
    }

    private struct Departure {
        let privateID: String
        let number: UInt64
    }

    private struct Sent {
        let packet: SocketPacket
        let audience: Audience
        let time: Instant
        let size: Int
        /// The memory that it takes up.
        let footprint: Int
    }

    private let limits: SocketIOServer.Configuration.Recovery
    /// Those who may come back, by private id.
    private var lost: [Name: Lost] = [:]
    /// Who was lost, in order. Those who came back, or were lost again later, still stand here.
    private var departures: ArraySlice<Departure> = []
    private var lostCount: UInt64 = 0
    private var lostBytes = 0
    /// The last events, in order; the offset of the very last is ``count``, each one before has one less.
    private var sent: [Sent] = []
    private var sentBytes = 0
    private var count: UInt64 = 0
    /// The memory that all of it takes up.
    private(set) var footprint = 0

    init(_ recovery: SocketIOServer.Configuration.Recovery) { limits = recovery }

    /// How many clients may come back.
    var clientCount: Int { lost.count }

    /// How many departures are noted, for tests.
    var departureCount: Int { departures.count }
}

/// Events.
extension RecoveryMemory {
    /// Remembers an event, and gives it its place as a last argument; one that asks for an acknowledgement cannot be
    /// sent again.
    ///
    /// - Returns: whether it is remembered.
    @discardableResult
    mutating func record(_ packet: inout SocketPacket, to audience: Audience, now: Instant = .now) -> Bool {
        guard packet.kind == .event, packet.id == nil, case .array(var content)? = packet.data else { return false }
        count += 1
        content.append(.string(String(count, radix: Self.radix)))
        packet.data = .array(content)
        let size = content.reduce(0) { $0 + $1.weight }
        let footprint = MemoryLayout<Sent>.stride + JSON.array(content).footprint
        sent.append(Sent(packet: packet, audience: audience, time: now, size: size, footprint: footprint))
        sentBytes += size
        self.footprint += footprint
        forgetOldEvents(now)
        forgetOldClients(now)
        return true
    }

    /// Forgets the last event that was recorded, which was not sent after all.
    mutating func forgetLast() {
        count -= 1
        guard let last = sent.popLast() else { return }
        sentBytes -= last.size
        footprint -= last.footprint
    }

    /// Forgets all that is out of its time, for when nothing is sent and nobody is lost meanwhile. The last event
    /// stays: a client that has missed nothing names its place.
    ///
    /// - Returns: when there is more to forget; `nil` where nothing is remembered but that event.
    mutating func forgetOld(now: Instant = .now) -> Instant? {
        forgetFirst(sent.dropLast().prefix { now - $0.time > limits.maxDisconnection }.count)
        forgetOldClients(now)
        let firstEvent = sent.count > 1 ? sent[0].time : nil
        let firstClient = departures.first.flatMap { lost[Name($0.privateID)]?.time }
        return [firstEvent, firstClient].compactMap(\.self).min().map { $0 + limits.maxDisconnection }
    }

    private static let radix = 36

    /// Drops what is out of its window, and, many at a time, what is too much.
    private mutating func forgetOldEvents(_ now: Instant) {
        var old = sent.prefix { now - $0.time > limits.maxDisconnection }.count
        guard old >= 256 || sent.count > limits.maxPackets || sentBytes > limits.maxBytes else { return }
        if sent.count - old > limits.maxPackets { old = sent.count - limits.maxPackets / 2 }
        var left = sent[old...].reduce(0) { $0 + $1.size }
        if left > limits.maxBytes {
            while left > limits.maxBytes / 2 {
                left -= sent[old].size
                old += 1
            }
        }
        forgetFirst(old)
    }

    private mutating func forgetFirst(_ old: Int) {
        for event in sent[..<old] {
            sentBytes -= event.size
            footprint -= event.footprint
        }
        sent.removeFirst(old)
    }

    /// The place behind an event that a client has named; `nil` where it is not remembered.
    private func place(behind offset: String) -> Int? {
        guard offset.utf8.count <= 13, let number = UInt64(offset, radix: Self.radix), number <= count,
            count - number < UInt64(sent.count)
        else { return nil }
        return sent.count - Int(count - number)
    }
}

/// Clients.
extension RecoveryMemory {
    /// Remembers a client that was lost. Where there are too many, those that were lost first are forgotten; where it
    /// is their bytes that are too many, all but the last.
    ///
    /// Returns how many are forgotten before their time.
    @discardableResult
    mutating func persist(_ session: RecoveredSession, now: Instant = .now) -> Int {
        _ = removeLost(session.privateID)
        lostCount += 1
        let footprint = session.weight + session.data.footprint + Self.roomByteCount * session.rooms.count
        let lost = Lost(session: session, time: now, size: session.weight, footprint: footprint, number: lostCount)
        self.lost[Name(session.privateID)] = lost
        self.footprint += footprint
        departures.append(Departure(privateID: session.privateID, number: lostCount))
        lostBytes += lost.size
        return forgetOldClients(now)
    }

    /// For the gauge, as measured: a room of a client that was lost, beside its name.
    private static let roomByteCount = 128

    private mutating func removeLost(_ privateID: String) -> Lost? {
        guard let lost = lost.removeValue(forKey: Name(privateID)) else { return nil }
        lostBytes -= lost.size
        footprint -= lost.footprint
        return lost
    }

    /// Returns how many are forgotten before their time.
    @discardableResult
    private mutating func forgetOldClients(_ now: Instant) -> Int {
        var early = 0
        while let first = departures.first {
            if let client = lost[Name(first.privateID)], client.number == first.number {
                let isOld = now - client.time > limits.maxDisconnection
                let isTooMuch = lostBytes > limits.maxBytes && lost.count > 1
                guard isOld || isTooMuch || lost.count > limits.maxClients else { break }
                _ = removeLost(first.privateID)
                if !isOld { early += 1 }
            }
            departures.removeFirst()
        }
        // Those who came back leave gaps.
        if departures.count > 2 * lost.count + 256 {
            departures = ArraySlice(departures.filter { [lost] in lost[Name($0.privateID)]?.number == $0.number })
        }
        return early
    }

    /// Once for each that was lost.
    mutating func restore(privateID: String, offset: String, now: Instant = .now) -> Recovery? {
        forgetOldClients(now)
        guard let lost = removeLost(privateID), let place = place(behind: offset)
        else { return nil }
        let rooms = lost.session.rooms.union([Name(lost.session.id)])
        let missed = sent[place...].filter { $0.audience.includes(rooms) }
        return Recovery(session: lost.session, missed: missed.map { BroadcastPacket($0.packet) }, count: count)
    }

    /// Forgets a client that is not to come back.
    mutating func forget(privateID: String) { _ = removeLost(privateID) }

    /// Forgets the clients of an audience, who are not to come back.
    mutating func forget(_ audience: Audience) {
        let leaving = lost.values.filter { audience.includes($0.session.rooms.union([Name($0.session.id)])) }
        for client in leaving { _ = removeLost(client.session.privateID) }
    }

    /// What was sent to one who comes back since it was given back what there was.
    func missed(since recovery: Recovery) -> [BroadcastPacket] {
        guard let start = recovery.count, count > start else { return [] }
        let rooms = recovery.session.rooms.union([Name(recovery.session.id)])
        let late = sent.suffix(Int(clamping: count - start)).filter { $0.audience.includes(rooms) }
        return late.map { BroadcastPacket($0.packet) }
    }
}

extension RecoveredSession {
    /// About as many bytes as it is kept in.
    fileprivate var weight: Int {
        rooms.reduce(256 + id.utf8.count + 2 * privateID.utf8.count + data.weight) { $0 + 32 + $1.text.utf8.count }
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
