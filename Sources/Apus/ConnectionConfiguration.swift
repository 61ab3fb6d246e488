/// The settings that the connections of a server and of a client have in common.
protocol ConnectionConfiguration {
    var maxHeadBytes: Int { get }
    var maxHeadFields: Int { get }
    var maxMessageBytes: Int { get }
    var maxFragments: Int { get }
    var compression: Compression { get }
    var maxInboundBytes: Int { get }
    var maxOutboundBytes: Int { get }
    var maxBurstBytes: Int { get }
    var slowConsumerLag: Duration { get }
    var minOutboundRate: Int { get }
    var outboundTimeout: Duration { get }
    var slowConsumerPolicy: WebSocketServer.Configuration.SlowConsumerPolicy { get }
    var handshakeTimeout: Duration { get }
    var pingInterval: Duration? { get }
    var maxMissedPings: Int { get }
    var closeTimeout: Duration { get }
    var maxLifetime: Duration? { get }
}

extension WebSocketServer.Configuration: ConnectionConfiguration {}
extension WebSocketClient.Configuration: ConnectionConfiguration {}

extension ConnectionConfiguration {
    /// Refuses what cannot work, in these settings and in the timeouts that only one side has.
    func validateConnections(andTimeouts others: [Duration]) throws(WebSocketError) {
        try check(maxHeadBytes, in: 64...(16 << 20), "maxHeadBytes")
        try check(maxHeadFields, in: 1...100, "maxHeadFields")
        try check(maxMessageBytes, in: 1...Int.max, "maxMessageBytes")
        try check(maxFragments, in: 1...Int(UInt32.max), "maxFragments")
        for limit in compression.limits { try check(limit.value, in: limit.range, limit.name) }
        try check(maxInboundBytes, in: 1...Int.max, "maxInboundBytes")
        try check(maxOutboundBytes, in: 1...Int.max, "maxOutboundBytes")
        try check(maxBurstBytes, in: 1...Int.max, "maxBurstBytes")
        try check(minOutboundRate, in: 0...Int(UInt32.max), "minOutboundRate")
        try check(maxMissedPings, in: 0...100, "maxMissedPings")
        let timeouts = [
            handshakeTimeout, pingInterval ?? .seconds(1), closeTimeout, maxLifetime ?? .seconds(1), slowConsumerLag,
            outboundTimeout,
        ]
        for timeout in timeouts + others {
            try check(timeout.milliseconds, in: 1...Int(UInt32.max), "each timeout, in milliseconds,")
        }
    }
}
