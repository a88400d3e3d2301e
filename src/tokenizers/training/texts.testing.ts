/** The first stanzas of Jabberwocky (Carroll 1871), and what tokenizers find hard. */
export const sample = `'Twas brillig, and the slithy toves
Did gyre and gimble in the wabe;
All mimsy were the borogoves,
And the mome raths outgrabe.

"Beware the Jabberwock, my son!
The jaws that bite, the claws that catch!
Beware the Jubjub bird, and shun
The frumious Bandersnatch!"

aaaa aaab abab aaaaaaa don't we've 3.14 1871

白日依山盡，黃河入海流。
  欲窮千里目，\t更上一層樓。

😀😀 👍🏽 caf\u00e9 cafe\u0301 \u1e69\r\n\r\n\n\n\taaaa bbbb
`
