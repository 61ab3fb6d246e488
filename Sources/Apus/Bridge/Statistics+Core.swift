import CApus

extension WebSocketServer.Statistics {
    /// Copies the core's counts: a struct of 64-bit numbers and nothing else.
    init(_ counts: apus_statistics) {
        self = withUnsafeBytes(of: counts) { (bytes: UnsafeRawBufferPointer) in
            Self(counts: bytes.bindMemory(to: UInt64.self))
        }
    }
}
