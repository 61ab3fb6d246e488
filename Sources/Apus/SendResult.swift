/// What became of a message that could not wait.
public enum SendResult: Hashable, Sendable {
    /// It is on its way, or will be in order.
    case sent
    /// It was not sent: the outbound queue is full.
    case full
    /// It was not sent: the connection is closed.
    case closed
}
