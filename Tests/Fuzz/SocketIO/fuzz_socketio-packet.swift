import Apus

@testable import ApusSocketIO

/// Checks the reading of packets, with any bytes as a connection's messages: separated by 0x1E, and binary behind a
/// `b`.
///
/// - what is read can be written, unless it has too many attachments by then, and is read again as the same;
/// - a decoder that has refused a message is never asked again, so what comes next begins a new packet;
/// - a decoder with small limits gives out what keeps to them, and counts at least the bytes of attachments.
@_cdecl("fuzz_socketio_packet")
public func fuzzSocketIOPacket(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var (decoder, limited) = (SocketPacketDecoder(), SocketPacketDecoder(limits: limits))
    for record in input(data, count).split(separator: 0x1E, omittingEmptySubsequences: false) {
        let message: Message
        if record.first == UInt8(ascii: "b") {
            message = .binary(Bytes(record.dropFirst()))
        } else {
            message = .text(String(decoding: record, as: UTF8.self))
        }
        do {
            if let packet = try decoder.decode(message) { check(packet) }
        } catch {
            decoder = SocketPacketDecoder()
        }
        checkLimits(message, &limited)
    }
    return 0
}

private let limits = PacketLimits(namespaceBytes: 4, eventNameBytes: 3, attachments: 2, packetBytes: 40)

/// What a decoder with small limits makes of a message.
private func checkLimits(_ message: Message, _ decoder: inout SocketPacketDecoder) {
    do throws(PacketFailure) {
        guard let packet = try decoder.decode(message) else { return }
        require(packet.namespace.utf8.count <= limits.namespaceBytes, "a namespace keeps to its limit")
        let name = packet.kind == .event ? packet.data?[0]?.string : nil
        require((name ?? "").utf8.count <= limits.eventNameBytes, "an event's name keeps to its limit")
        if case .binary(let bytes) = message { require(decoder.footprint >= bytes.count, "attachments are counted") }
    } catch {
        decoder = SocketPacketDecoder(limits: limits)
    }
}

private func check(_ packet: SocketPacket) {
    let messages = packet.encoded()
    guard messages.count <= 1 + SocketPacket.maxAttachments else { return }
    var decoder = SocketPacketDecoder()
    for (index, message) in messages.enumerated() {
        do {
            let again = try decoder.decode(index == 0 ? withoutType(message) : message)
            require((again != nil) == (index == messages.count - 1), "the last message completes the packet")
            if let again { require(again == packet, "\(again) is \(packet)") }
        } catch {
            require(false, "what is written of \(packet) is read: \(error)")
        }
    }
}

/// A text as Engine.IO gives it out.
private func withoutType(_ message: Message) -> Message {
    guard case .text(let text) = message else { return message }
    require(text.first == "4", "a text is a message of Engine.IO")
    return .text(String(text.dropFirst()))
}
