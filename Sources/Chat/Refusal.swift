/// Why the server does not do what a client asked for; it becomes an `error` event and ends nothing.
struct Refusal: Error, Hashable {
    /// What went wrong, for programs.
    enum Code: String {
        case badRequest = "bad-request"
        case badName = "bad-name"
        case noSuchRoom = "no-such-room"
        case tooLong = "too-long"
        case tooManyRooms = "too-many-rooms"
        case tooFast = "too-fast"
        case unavailable
    }

    let code: Code

    /// What went wrong and what to do, for people.
    let words: String

    /// The key of the `send` that is refused.
    let key: String?

    init(_ code: Code, _ words: String, key: String? = nil) {
        self.code = code
        self.words = words
        self.key = key
    }

    /// The same, as the answer to the `send` with this key.
    func answering(key: String?) -> Refusal { Refusal(code, words, key: key) }

    static let badName = Refusal(
        .badName,
        "a name has 1 to \(Limits.name) characters, at least one of them visible, and none that controls lines or "
            + "the direction of text")

    static let tooManyNewRooms = Refusal(
        .tooFast, "too many rooms were made just now; wait a minute and try again, or join one that there is")

    /// The database failed; what was asked may be asked again.
    static func unavailable(key: String? = nil) -> Refusal {
        Refusal(.unavailable, "the server cannot reach its database just now; try again", key: key)
    }

    static func noSuchRoom(_ name: String) -> Refusal {
        Refusal(
            .noSuchRoom,
            "there is no room '\(String(name.unicodeScalars.prefix(Limits.name)))'; make it first with `create`")
    }
}
