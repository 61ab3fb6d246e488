/// What somebody typed into the search field: words that must all occur, in any order, anywhere in a text.
///
/// Nothing in it has a meaning of its own. It works on Unicode scalars throughout: in a `Character`, a combining mark
/// would hide the quotation mark before it from code that escapes quotation marks.
struct SearchQuery: Hashable, Sendable {
    /// The most trigrams of a query that are looked up in the index; the words themselves decide what is found.
    static let mostTrigrams = 8

    /// Every three characters in a row that the index is asked for (it is a trigram index, because Chinese has no
    /// spaces between words); empty where no word has three characters.
    let trigrams: [String]

    /// The words, folded, each prepared for finding it.
    private let words: [Pattern]

    init(_ query: String) {
        let words = query.unicodeScalars.split(whereSeparator: \.properties.isWhitespace)
        self.words = words.map { Pattern(Folding.fold($0)) }
        trigrams = Self.trigrams(of: words.map(Array.init))
    }

    var isEmpty: Bool { words.isEmpty }

    /// The trigrams as FTS5 string literals, which are implicitly joined by AND; nil where there are none.
    var match: String? {
        trigrams.isEmpty ? nil : trigrams.map(Self.literal).joined(separator: " ")
    }

    /// Whether every word occurs in a text; subtracts from `budget` how many characters were looked at.
    func matches(_ text: String, budget: inout Int) -> Bool {
        let folded = Folding.fold(text.unicodeScalars)
        budget -= folded.count
        return words.allSatisfy { $0.occurs(in: folded, budget: &budget) }
    }

    /// The first, last and middle trigrams of the longest words: these tell texts apart as well as all of them would.
    private static func trigrams(of words: [[Unicode.Scalar]]) -> [String] {
        var chosen: [String] = []
        for word in words.sorted(by: { $0.count > $1.count }) where word.count >= 3 {
            let last = word.count - 3
            for start in [0, last, last / 2, last / 4, last * 3 / 4] {
                var trigram = String.UnicodeScalarView()
                trigram.append(contentsOf: word[start..<start + 3])
                let text = String(trigram)
                if chosen.count < mostTrigrams, !chosen.contains(text) { chosen.append(text) }
            }
        }
        return chosen
    }

    private static func literal(_ text: String) -> String {
        var literal = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" { literal.unicodeScalars.append(scalar) }
            literal.unicodeScalars.append(scalar)
        }
        return literal + "\""
    }
}

/// Letters without their case.
private enum Folding {
    static func fold(_ scalars: some Sequence<Unicode.Scalar>) -> [UInt32] { scalars.map(fold) }

    /// The lower-case letter, as far as that is one scalar.
    private static func fold(_ scalar: Unicode.Scalar) -> UInt32 {
        if scalar.isASCII {
            let isUpper = ("A"..."Z").contains(scalar)
            return isUpper ? scalar.value + 0x20 : scalar.value
        }
        guard scalar.properties.isUppercase || scalar.properties.isTitlecaseMapped else { return scalar.value }
        let lower = scalar.properties.lowercaseMapping.unicodeScalars
        return lower.count == 1 ? lower.first?.value ?? scalar.value : scalar.value
    }
}

extension Unicode.Scalar.Properties {
    fileprivate var isTitlecaseMapped: Bool { generalCategory == .titlecaseLetter }
}

/// A word to be found in linear time (Knuth, Morris and Pratt), whatever the word and the text are made of.
private struct Pattern: Hashable, Sendable {
    private let word: [UInt32]
    /// For each prefix of the word, how long the longest shorter one is that it ends with.
    private let borders: [Int]

    init(_ word: [UInt32]) {
        self.word = word
        var borders = [Int](repeating: 0, count: word.count)
        var length = 0
        for index in word.indices.dropFirst() {
            while length > 0, word[index] != word[length] { length = borders[length - 1] }
            if word[index] == word[length] { length += 1 }
            borders[index] = length
        }
        self.borders = borders
    }

    func occurs(in text: [UInt32], budget: inout Int) -> Bool {
        var length = 0
        for scalar in text {
            budget -= 1
            while length > 0, scalar != word[length] {
                budget -= 1
                length = borders[length - 1]
            }
            if scalar == word[length] { length += 1 }
            if length == word.count { return true }
        }
        return false
    }
}
