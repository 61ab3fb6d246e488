import Synchronization

/// The event loop of clients that are given none: one for the process, started at first use and never ended.
enum ClientLoop {
    private static let loop = Mutex<EventLoop?>(nil)

    static func shared() throws(WebSocketError) -> EventLoop {
        let result: Result<EventLoop, WebSocketError> = loop.withLock { loop in
            if let loop { return .success(loop) }
            do throws(WebSocketError) {
                let new = try EventLoop(name: "apus-client")
                loop = new
                return .success(new)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
