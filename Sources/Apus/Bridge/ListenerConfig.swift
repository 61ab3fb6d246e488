import CApus

/// Owns the `apus_listener_config` that all listeners of a server share, and what it points to.
final class ListenerConfig: Sendable {
    nonisolated(unsafe) let pointer: UnsafeMutablePointer<apus_listener_config>
    nonisolated(unsafe) let admission: UnsafeMutablePointer<apus_admission>
    private nonisolated(unsafe) let origins: UnsafeMutableBufferPointer<apus_text>
    private nonisolated(unsafe) let proxies: UnsafeMutableBufferPointer<apus_ip_range>

    private let tls: TLSContext?

    init(_ configuration: WebSocketServer.Configuration, tls: TLSContext?) {
        self.tls = tls
        pointer = .allocate(capacity: 1)
        admission = .allocate(capacity: 1)
        admission.initialize(to: apus_admission())
        origins = configuration.originPolicy.makeTexts()
        // All of them are ranges: the configuration was validated.
        let ranges = configuration.trustedProxies.compactMap { AddressRange($0)?.range }
        proxies = .allocate(capacity: ranges.count)
        _ = proxies.initialize(from: ranges)
        var config = apus_listener_config()
        apus_listener_config_init(&config)
        config.endpoint = apus_endpoint_config(configuration)
        config.most_connections = UInt32(configuration.maxConnections)
        config.origin_policy = configuration.originPolicy == .any ? APUS_ORIGIN_ANY : APUS_ORIGIN_SAME
        config.origins = UnsafePointer(origins.baseAddress)
        config.origin_count = origins.count
        config.trusted = UnsafePointer(proxies.baseAddress)
        config.trusted_count = proxies.count
        config.trusts_unix = configuration.trustsUnixPeers
        config.proxy_protocol = apus_proxy_protocol(configuration.proxyProtocol)
        config.forwarding = apus_forwarding(configuration.forwardedFields)
        config.endpoint.tls = tls?.pointer
        config.memory_budget = configuration.memoryBudget ?? AllowedMemory.defaultBudget
        config.on_budget = { context, count, charge in
            guard let context else { return }
            Unmanaged<ServerShard>.fromOpaque(context).takeUnretainedValue().endedLargest(count, charge: charge)
        }
        pointer.initialize(to: config)
    }

    deinit {
        for origin in origins { UnsafeMutablePointer(mutating: origin.data).deallocate() }
        origins.deallocate()
        proxies.deallocate()
        admission.deallocate()
        pointer.deallocate()
    }
}

extension WebSocketServer.Configuration.OriginPolicy {
    /// The allowed origins in lower case, zero-terminated, as the core compares them.
    fileprivate func makeTexts() -> UnsafeMutableBufferPointer<apus_text> {
        guard case .sameOr(let origins) = self else { return .init(start: nil, count: 0) }
        let texts = UnsafeMutableBufferPointer<apus_text>.allocate(capacity: origins.count)
        for (index, origin) in origins.enumerated() {
            let characters = origin.lowercased().utf8CString
            let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: characters.count)
            _ = copy.initialize(from: characters)
            texts.initializeElement(
                at: index, to: apus_text(UnsafeRawBufferPointer(copy.prefix(characters.count - 1).rebased)))
        }
        return texts
    }
}

extension Slice<UnsafeMutableBufferPointer<CChar>> {
    fileprivate var rebased: UnsafeMutableBufferPointer<CChar> { .init(rebasing: self) }
}

extension apus_proxy_protocol {
    fileprivate init(_ proxyProtocol: WebSocketServer.Configuration.ProxyProtocol) {
        self =
            switch proxyProtocol {
            case .off: APUS_PROXY_PROTOCOL_OFF
            case .required: APUS_PROXY_PROTOCOL_REQUIRED
            }
    }
}

extension apus_forwarding {
    fileprivate init(_ fields: WebSocketServer.Configuration.ForwardedFields) {
        self =
            switch fields {
            case .none: APUS_FORWARDING_NONE
            case .xForwarded: APUS_FORWARDING_X
            case .forwarded: APUS_FORWARDING_RFC7239
            }
    }
}
