import HTTPTypes

/// What a request's conditions (RFC 9110 §13.1) say of a resource, in the order of §13.2.2.
enum Precondition {
    /// What to answer.
    enum Result: Equatable {
        /// The response that there is without conditions.
        case pass
        /// 304: the client has it.
        case notModified
        /// 412: it is not the one that the client means.
        case failed
    }

    /// Evaluates the conditions of a GET or a HEAD.
    ///
    /// A condition on the time of the last change is ignored where that is not known, and where it is no date. `Range`
    /// is not supported, and so neither it nor `If-Range` is looked at (§14.2).
    static func evaluate(
        _ fields: HTTPFields, entityTag: String, lastModified: Int?, now: Int
    ) -> Result {
        let ifMatch = fields[values: .ifMatch], ifNoneMatch = fields[values: .ifNoneMatch]
        if !ifMatch.isEmpty {
            guard ifMatch.contains(where: { EntityTag.list($0, matches: entityTag, by: .strong) }) else {
                return .failed
            }
        } else if let lastModified, let limit = date(fields, .ifUnmodifiedSince, now), lastModified > limit {
            return .failed
        }
        if !ifNoneMatch.isEmpty {
            let isNamed = ifNoneMatch.contains { EntityTag.list($0, matches: entityTag, by: .weak) }
            return isNamed ? .notModified : .pass
        }
        if let lastModified, let limit = date(fields, .ifModifiedSince, now), lastModified <= limit {
            return .notModified
        }
        return .pass
    }

    /// The date of a field that stands once.
    private static func date(_ fields: HTTPFields, _ name: HTTPField.Name, _ now: Int) -> Int? {
        let values = fields[values: name]
        return values.count == 1 ? HTTPDate.seconds(of: values[0], now: now) : nil
    }
}
