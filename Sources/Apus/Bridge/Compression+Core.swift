import CApus

extension apus_compression_config {
    /// What the core is to do; `compression` has been validated.
    init(_ compression: Compression) {
        self.init()
        apus_compression_config_init(&self)
        mode =
            switch compression.mode {
            case .off: APUS_COMPRESSION_OFF
            case .shared: APUS_COMPRESSION_SHARED
            case .dedicated: APUS_COMPRESSION_DEDICATED
            }
        level = CInt(compression.level)
        threshold = compression.threshold
        server_max_window_bits = UInt8(compression.serverMaxWindowBits)
        client_max_window_bits = UInt8(compression.clientMaxWindowBits)
        server_no_context_takeover = compression.serverNoContextTakeover
        client_no_context_takeover = compression.clientNoContextTakeover
    }
}
