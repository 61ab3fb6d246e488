import CApus
import CApusCore
import TestSupport

/// A running loop without connections.
///
/// Its methods block, so they are for threads of their own (``onThread(_:)``).
final class CoreLoop: @unchecked Sendable {
    let pointer: OpaquePointer

    struct Failure: Error, Equatable { let number: CInt }

    init() throws {
        guard let pointer = apus_loop_new() else { throw Failure(number: APUS_ENOMEM.rawValue) }
        self.pointer = pointer
        apus_loop_set_runner(pointer, { _, _ in }, nil)
        let error = apus_loop_start(pointer, "core")
        guard error == 0 else { throw Failure(number: error) }
    }

    /// Calls `body` on the loop, and waits for it.
    func run(_ body: @escaping @Sendable () -> Void) {
        let isDone = Blocker()
        post(to: pointer) {
            body()
            isDone.release()
        }
        isDone.wait()
    }

    /// Waits for whatever is still open, and ends the thread. To be called once.
    func free() { apus_loop_free(pointer) }
}
