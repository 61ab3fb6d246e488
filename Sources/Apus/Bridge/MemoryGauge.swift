import CApus

/// The memory that this process holds for its connections, over all servers and clients.
///
/// The core counts every block that it allocates. Swift code that keeps bytes for a peer (unread text, buffers of
/// polling sessions, events that wait for a handler) reports them here, so that
/// ``WebSocketServer/Statistics/memoryNow`` and the memory budget see them.
package enum MemoryGauge {
    /// Reports that `bytes` are kept from now on. Callable from any thread; takes no lock. `apus_memory_add`
    package static func add(_ bytes: Int) { apus_memory_add(bytes) }

    /// Reports that `bytes`, which were added before, are no longer kept. Callable from any thread; takes no lock.
    package static func subtract(_ bytes: Int) { apus_memory_add(-bytes) }

    /// The bytes that are in use at present. `apus_memory_now`
    package static var current: Int { apus_memory_now() }
}
