/// The result of a publication that does not wait.
public enum PublishResult: Hashable, Sendable {
    /// The message is on its way to every subscriber.
    case published
    /// Some event loop with subscribers has not caught up yet. Nothing was sent to anybody.
    case full
}
