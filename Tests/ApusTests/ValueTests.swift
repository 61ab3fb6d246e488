@testable import Apus
import HTTPTypes
import Testing

/// The small values of the API.
struct ValueTests {
    @Test func `a message is text or bytes`() {
        #expect(Message.text("a") == "a")
        #expect(Message.text("a") != .binary(Array("a".utf8)))
        #expect(Set([Message.text("a"), "a", .binary([1]), .binary([1])]).count == 2)
    }

    @Test(arguments: ["", "plain", "Grüße 🕊", "\u{0}"])
    func `a message that is lent is the same message`(text: String) {
        for message in [Message.text(text), .binary(Array(text.utf8))] {
            var copies: [Message] = []
            message.lend { copies.append($0.message) }
            #expect(copies == [message])
        }
    }

    @Test func `an address is written as in a URL`() {
        #expect("\(SocketAddress(host: "127.0.0.1", port: 80, isUnix: false))" == "127.0.0.1:80")
        #expect("\(SocketAddress(host: "::1", port: 80, isUnix: false))" == "[::1]:80")
        #expect("\(SocketAddress(host: "/run/apus", port: 0, isUnix: true))" == "unix:/run/apus")
    }

    @Test func `an error is its message`() {
        let error = WebSocketError(.outOfResources, "no more files", cause: WebSocketError(.cannotListen, "why"))
        #expect("\(error)" == "no more files")
        #expect("\(error.code)" == "outOfResources")
        #expect((error.cause as? WebSocketError)?.code == .cannotListen)
    }

    @Test func `a response of text says so`() {
        let response = Response.text("höher", status: .created)
        #expect(response.status == .created)
        #expect(response.headerFields[.contentType] == "text/plain; charset=utf-8")
        #expect(response.body == Array("höher".utf8))
    }

    @Test func `counters add up, each by itself`() {
        let last = Mirror(reflecting: WebSocketServer.Statistics()).children.count - 1  // all but the gauge
        let one = (1...last).map(UInt64.init).withUnsafeBufferPointer(WebSocketServer.Statistics.init(counts:))
        #expect(one.connectionsAccepted == 1)
        #expect(one.connectionsNow == 2)
        #expect(one.messagesSent == 20)
        #expect(one.connectionsLost == last)
        var sum = one
        sum.add(one)
        #expect(sum.connectionsAccepted == 2)
        #expect(sum.connectionsLost == 2 * last)
        #expect(sum != one)
    }
}
