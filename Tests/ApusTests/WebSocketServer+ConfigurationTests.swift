@testable import Apus
import Testing

struct WebSocketServerConfigurationTests {
    typealias Configuration = WebSocketServer.Configuration

    @Test func `the defaults are safe ones`() {
        let configuration = Configuration()
        #expect(configuration.address == .tcp(host: "127.0.0.1", port: 8080))
        #expect(configuration.threads >= 1)
        #expect(configuration.maxConnections == 100_000)
        #expect(configuration.memoryBudget == nil)
        #expect(configuration.maxHeadBytes == 16 << 10)
        #expect(configuration.maxHeadFields == 100)
        #expect(configuration.maxMessageBytes == 1 << 20)
        #expect(configuration.maxFragments == 4096)
        #expect(configuration.maxInboundBytes == 64 << 10)
        #expect(configuration.maxOutboundBytes == 1 << 20)
        #expect(configuration.maxBurstBytes == 16 << 20)
        #expect(configuration.slowConsumerLag == .seconds(2))
        #expect(configuration.minOutboundRate == 1024)
        #expect(configuration.outboundTimeout == .seconds(60))
        #expect(configuration.slowConsumerPolicy == .suspendSender)
        #expect(configuration.originPolicy == .same)
        #expect(configuration.handshakeTimeout == .seconds(10))
        #expect(configuration.keepAliveTimeout == .seconds(75))
        #expect(configuration.upgradeTimeout == .seconds(10))
        #expect(configuration.minBodyRate == 240)
        #expect(configuration.pingInterval == .seconds(30))
        #expect(configuration.maxMissedPings == 2)
        #expect(configuration.closeTimeout == .seconds(5))
        #expect(configuration.stopDeadline == .seconds(10))
        #expect(configuration.shutdownSignals == [.sigterm, .sigint])
        #expect(Configuration(unixSocketPath: "/run/apus").address == .unix(path: "/run/apus"))
    }

    struct Mistake: CustomTestStringConvertible, Sendable {
        let message: String
        let change: @Sendable (inout Configuration) -> Void
        var testDescription: String { message }

        init(_ message: String, _ change: @escaping @Sendable (inout Configuration) -> Void) {
            self.message = message
            self.change = change
        }
    }

    static let mistakes = [
        Mistake("port must be from 0 to 65535, not 65536") { $0.address = .tcp(host: "::1", port: 65536) },
        Mistake("port must be from 0 to 65535, not -1") { $0.address = .tcp(host: "::1", port: -1) },
        Mistake("threads must be from 1 to 1024, not 0") { $0.threads = 0 },
        Mistake("threads must be from 1 to 1024, not 1025") { $0.threads = 1025 },
        Mistake("backlog must be from 1 to 65535, not 0") { $0.backlog = 0 },
        Mistake("memoryBudget must be from 16777216 to 9223372036854775807, not 16777215") {
            $0.memoryBudget = (16 << 20) - 1
        },
        Mistake("maxConnections must be from 1 to 4294967295, not 0") { $0.maxConnections = 0 },
        Mistake("maxConnections must be from 1 to 4294967295, not 4294967296") { $0.maxConnections = 1 << 32 },
        Mistake("maxHeadBytes must be from 64 to 16777216, not 63") { $0.maxHeadBytes = 63 },
        Mistake("maxHeadFields must be from 1 to 100, not 101") { $0.maxHeadFields = 101 },
        Mistake("maxMessageBytes must be from 1 to 9223372036854775807, not 0") { $0.maxMessageBytes = 0 },
        Mistake("maxFragments must be from 1 to 4294967295, not 0") { $0.maxFragments = 0 },
        Mistake("maxInboundBytes must be from 1 to 9223372036854775807, not 0") { $0.maxInboundBytes = 0 },
        Mistake("maxBurstBytes must be from 1 to 9223372036854775807, not 0") { $0.maxBurstBytes = 0 },
        Mistake("minOutboundRate must be from 0 to 4294967295, not -1") { $0.minOutboundRate = -1 },
        Mistake("maxOutboundBytes must be from 1 to 9223372036854775807, not -1") { $0.maxOutboundBytes = -1 },
        Mistake("minBodyRate must be from 0 to 1073741824, not -1") { $0.minBodyRate = -1 },
        Mistake("each timeout, in milliseconds, must be from 1 to 4294967295, not 0") { $0.keepAliveTimeout = .zero },
        Mistake("each timeout, in milliseconds, must be from 1 to 4294967295, not 0") { $0.upgradeTimeout = .zero },
        Mistake("maxMissedPings must be from 0 to 100, not 101") { $0.maxMissedPings = 101 },
        Mistake("each timeout, in milliseconds, must be from 1 to 4294967295, not 0") { $0.handshakeTimeout = .zero },
        Mistake("each timeout, in milliseconds, must be from 1 to 4294967295, not -1000") {
            $0.pingInterval = .seconds(-1)
        },
        Mistake("each timeout, in milliseconds, must be from 1 to 4294967295, not 0") { $0.maxLifetime = .zero },
        Mistake("each timeout, in milliseconds, must be from 1 to 4294967295, not 5000000000") {
            $0.closeTimeout = .seconds(5_000_000)
        },
        Mistake("each timeout, in milliseconds, must be from 1 to 4294967295, not 9223372036854775807") {
            $0.stopDeadline = .seconds(Int64.max)
        },
    ]

    @Test(arguments: mistakes) func `a setting that cannot work is told apart`(_ mistake: Mistake) {
        do {
            _ = try makeServer(.with(mistake.change))
            Issue.record("it was accepted")
        } catch {
            #expect(error.code == .invalidConfiguration)
            #expect("\(error)" == mistake.message)
        }
    }

    @Test func `the ends of the ranges work`() throws {
        _ = try makeServer(
            .with {
                $0.address = .tcp(host: "localhost", port: 65535)
                $0.threads = 1
                $0.maxConnections = Int(UInt32.max)
                $0.maxHeadBytes = 64
                $0.maxHeadFields = 1
                $0.maxMessageBytes = .max
                $0.maxFragments = Int(UInt32.max)
                $0.maxInboundBytes = 1
                $0.maxOutboundBytes = .max
                $0.maxMissedPings = 0
                $0.pingInterval = nil
                $0.maxLifetime = .milliseconds(Int(UInt32.max))
                $0.closeTimeout = .nanoseconds(1)
            })
    }

    @Test(arguments: [
        (Duration.zero, 0), (.nanoseconds(1), 1), (.milliseconds(-1), -1), (.nanoseconds(-1), 0), (.milliseconds(1), 1),
        (.microseconds(1001), 2), (.seconds(3), 3000),
        (.seconds(-1), -1000), (.seconds(Int64.max), Int.max), (.seconds(Int64.min), Int.min),
    ])
    func `a duration is a number of milliseconds, rounded up`(duration: Duration, milliseconds: Int) {
        #expect(duration.milliseconds == milliseconds)
    }
}
