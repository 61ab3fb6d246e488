import CApus

/// Calls `body` on a loop, soon.
func post(to loop: OpaquePointer, _ body: @escaping @Sendable () -> Void) {
    apus_loop_post(
        loop,
        { argument in
            guard let argument else { return }
            Unmanaged<Call>.fromOpaque(argument).takeRetainedValue().body()
        }, Unmanaged.passRetained(Call(body)).toOpaque())
}

private final class Call: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
