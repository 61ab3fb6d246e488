import CApusCore

/// What both ends agreed on, and the pool that their sessions share.
final class Agreement {
    let config = UnsafeMutablePointer<apus_compression_config>.allocate(capacity: 1)
    let pool = UnsafeMutablePointer<apus_deflate_pool>.allocate(capacity: 1)
    var parameters: apus_deflate_parameters

    /// Window bits are the server's and the client's; what keeps its context takes it over.
    init(
        serverBits: UInt8 = 15, clientBits: UInt8 = 15, keepsContext: Bool = true, threshold: Int = 0, level: CInt = 1
    ) {
        config.initialize(to: apus_compression_config())
        apus_compression_config_init(config)
        config.pointee.threshold = threshold
        config.pointee.level = level
        pool.initialize(to: apus_deflate_pool())
        parameters = apus_deflate_parameters(
            server_max_window_bits: serverBits, client_max_window_bits: clientBits,
            server_no_context_takeover: !keepsContext, client_no_context_takeover: !keepsContext,
            names_server_bits: false)
    }

    deinit {
        apus_deflate_pool_clear(pool)
        pool.deallocate()
        config.deallocate()
    }

    /// For a session of that role, which takes it.
    func makeCompression(_ role: apus_role) -> OpaquePointer {
        guard let compression = apus_compression_new(role, config, &parameters, pool) else {
            fatalError("there is memory for a test")
        }
        return compression
    }
}
