/**
 * SASLprep as PostgreSQL does it. The verifiers were made by PostgreSQL 15 (`CREATE ROLE … PASSWORD`), so each
 * line says what its own preparation of that password is.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildVerifier, parseVerifier, renderVerifier, saslprep } from '../../../src/wire/index.ts';

/** Passwords and what PostgreSQL stored for them. */
const STORED: readonly (readonly [password: string, verifier: string])[] = [
  [
    'matriarch',
    'SCRAM-SHA-256$4096:xXsWoT/kUZNsmuHVLrl12A==$hKGEo4kYFnkLE4EZUDZeG88W+krnj19/pk+fpBHRAE8=:0mD5N/DgimbRTlxePAUPQfJf1cEEo2KoHHTZO49VEJA=',
  ],
  [
    'I\u{ad}X',
    'SCRAM-SHA-256$4096:9evctwSNGApzfZn/xzH1BQ==$GnrBhC/S56K1LNzOdZFq0GlPNl1Nj9UtZ4RBsfvKnc4=:IO+7UileytCZoTTELS0rMFKCQawLoScSrkIwiUwXXGo=',
  ],
  [
    'user',
    'SCRAM-SHA-256$4096:F5zEGxHs5lNXGFmPHAt1fg==$kku/2MktVzXgJxM/UBu9CccMHO04BsZRxEe+Ktv23iw=:YwiHWdznonzXPfmnRS7aFdyPj8BV2gjlnuuaJyBbUaw=',
  ],
  [
    '\u{2168}',
    'SCRAM-SHA-256$4096:k3ZDtB7B3Su1X4hmWc8G5Q==$cUQs32Htk13H8vdlDkNcbcQga3FqWQjXboOHLJ37e2Y=:coGFz/yfsYOHAhoGJtg7jkd1fxF/5/Jx34VOqAnK5V0=',
  ],
  [
    '\u{aa}',
    'SCRAM-SHA-256$4096:0xxrpn1tWnbRrm3HoWQwsQ==$o0eu8rkixWgEL8vN+FPzpxdGtR1qd6OLb3mhI6CU1Fk=:ceh2wAWRWtZR7v6ZQ44CzjMX3MHYmVgXHn7wOW6B6Ik=',
  ],
  [
    'a\u{a0}b\u{3000}c',
    'SCRAM-SHA-256$4096:QHlScqt8zOJH5Rz1SEgvJQ==$lBbgdnlF+ivGu5rppV7WQWmykmw8VSs79lgmfrN13As=:D410OzgvDOAXcZwPOr1UBLYR5Uz+jyPPs+EMDmp7mck=',
  ],
  [
    'pa\u{200b}ss',
    'SCRAM-SHA-256$4096:xpW+t2xozQreYGd44faYqw==$PSpotjFl/SpKxGfGdVKMHWrx/ovvtVVCjQBvLxmRjzw=:DYNfFGt4J4XE16aOwy+87uD2oIkfBNDcJbP5A9j+Oo8=',
  ],
  [
    '\u{fb01}ne',
    'SCRAM-SHA-256$4096:KM8g1rQImvU8DhyznDPWCQ==$UtTEm2DumPgraFH8WqOwBkiGSmrcYcl4klJzkAJVsUc=:0EeHxPTHgs3u5ebedJV5rZBstHNUjgYUuYep8Li/DnI=',
  ],
  [
    '\u{fb01}ne\u{1f600}',
    'SCRAM-SHA-256$4096:dXZGeG4QRimRxSjx+PUQ6A==$T0fJB6s02MDpVUbJkJnFtP10/4AVwjRxzntR7VVVh7w=:rjQkvniPrVv1jBqoVqaS+JCcCuZkjRF3sv/2Felj3os=',
  ],
  [
    '\u{5d0}\u{5d1}a\u{fb01}',
    'SCRAM-SHA-256$4096:bgjN3DPmvH+79tT3Y8EDdQ==$um1LCWY2iUn9/sA6WaEVUQdrb8etsiV0DHOpjHXeM+4=:RgHsQ9j87VqfX46FTySVGijmGEjjOx+88LnqAmDo7pI=',
  ],
  [
    '\u{627}\u{fb01}',
    'SCRAM-SHA-256$4096:RMnUcF0r41PqDh3vbAqeng==$sLB9Zgg+kxiQkGdXACyU78yXpKxTym0jZtm5vhqY+2w=:+enEcUNNcljv9/HkfO1WxC7irW2ZeoRJWLQmSlz6x1U=',
  ],
  [
    '\u{627} 1',
    'SCRAM-SHA-256$4096:h9+tfGX2d41LMqhDNae5IA==$l5vbEcqBgZxNag7Zetx7kjDaMbCqIiDBFNnuQ3jgbMc=:g96+UbpDvNdU1KweLYL4jPLcNw6dejBf8/dXLOYHLJY=',
  ],
  [
    '\u{627}1\u{628}\u{3000}\u{628}',
    'SCRAM-SHA-256$4096:y10JuSMspVMPtSYiaSNVJw==$5H3Vx0rWqg61mwyC23i4uH0q3kScXyCujZF0kOMBR7M=:2NKTOsY2cOh6m89QpfJNinNuQyndX8j12PoOjOPcjpo=',
  ],
  [
    'cafe\u{301}',
    'SCRAM-SHA-256$4096:T6LmDCWIDP122trDZ8eTUg==$ssDFY33YqMQXt6V8CdBEbYaWkIQv22VVVN9g+64E4qQ=:AcfZyQB0Be5OUlmvXOr0He1a77pXLaMFQWMENioDCxU=',
  ],
  [
    '\u{ad}',
    'SCRAM-SHA-256$4096:aH2t+02bG5uoC/U0b2Pxcw==$jVofZ2WotpBDEwV6xrovmZApPKUxY67NkM0YoJjt6Og=:q/KRcBkTVqeeFpbMM3qTxgp8635wEyXQQrspuuIb4P8=',
  ],
  [
    '\u0007\u{fb01}',
    'SCRAM-SHA-256$4096:LM14lUWn7v1chl7N76Atgw==$8d/SOk6csE5L2/6+NDMaoiUGtXHTp4IAm+QPQUx3UDY=:ZYao0JyU5FbjFXmzC6J3LRpVm/vKjGhge5Zf88EmKeY=',
  ],
  [
    'x\u{80}\u{fb01}',
    'SCRAM-SHA-256$4096:SfB6EpS08D02QPwkzkSN/Q==$O5vYD79pcZnsI93bmnSpwlL3ZVQeRtlkJ5glA/j5t8I=:fLt0DyNHTl6EIh0qh4QsLcH6HyeMBvDKxPTbJeTyd4k=',
  ],
  [
    '\u{1fbf}\u{221}\u{3000}',
    'SCRAM-SHA-256$4096:TDYARB2M4XzUUUGZnDQl8w==$vP9TQwSbDWXAXh5rjQjkTMkc5AG+jRbLgfa9BahGyvk=:0SDcncwajblLaoF5cMPhxrF82HizkJJiSzkLQYPit3c=',
  ],
  [
    '\u{212b}\u{feff}',
    'SCRAM-SHA-256$4096:ucDhKIwhuLO4WNjxvUbhuw==$Upsak9Meb4BBL5wPfWC2vRi1H0mjI8WI2HwnE1/Atxg=:uYHNciNrgP0Dc+Nuq1puG2////z6IhJJ/RWxnAv6RWY=',
  ],
  [
    '\u{df}\u{fe0f}',
    'SCRAM-SHA-256$4096:oZ8ITVnFztGu9glpAhUlaw==$ybsGMNLy0Wk9yr2/hbia2Cp2SKfZ81HNKYRudOvzA4U=:ROq0Z3mf986xamD4VL9EjbU630cyGFcBJ/A095J9wgM=',
  ],
  [
    '\u{1f13b}\u{2168}',
    'SCRAM-SHA-256$4096:6S86HKlcKxlPyecWeifRGA==$Sfl7M6OPg6ekH5ub9sDChSxOsPBXu7HCFAi6OTGPsBw=:EycgxYklyWvj8wENkBFv7/nrxpfUChUEyb0qQVnKuYc=',
  ],
  [
    '\u{1e040}',
    'SCRAM-SHA-256$4096:oEKUSzoCOWRbesCSwMOMxg==$FDukl9+ElXCCaEhkCZGLFbLR17jdaZr29oqk1IIOYlA=:Oh6vPTnb6ghWEbN1uSstAdZubJmzeZpGCjvIa1UkbOw=',
  ],
];

for (const [password, stored] of STORED) {
  test(`PostgreSQL's verifier of ${JSON.stringify(password)} is ours`, () => {
    const verifier = parseVerifier(stored);
    assert.ok(verifier);
    assert.equal(renderVerifier(buildVerifier(password, verifier.salt, verifier.iterations)), stored);
  });
}

/** Examples of RFC 4013 chapter 3, with what PostgreSQL makes of those the RFC refuses: nothing. */
const PREPARED: readonly (readonly [what: string, password: string, expected: string])[] = [
  ['a soft hyphen vanishes', 'I\u{ad}X', 'IX'],
  ['ASCII stays', 'user', 'user'],
  ['case stays', 'USER', 'USER'],
  ['compatibility forms are folded', '\u{aa}', 'a'],
  ['a Roman numeral becomes letters', '\u{2168}', 'IX'],
  ['a control character stays, since the password is ASCII', '\u{7}', '\u{7}'],
  ['mixed directions leave the password as it is', '\u{627}1', '\u{627}1'],
  ['right to left, begun otherwise, leaves all of it as it is', '1\u{a0}\u{627}', '1\u{a0}\u{627}'],
  ['right to left, ended otherwise, leaves all of it as it is', '\u{627}\u{a0}1', '\u{627}\u{a0}1'],
  ['left to right within leaves all of it as it is', '\u{627}\u{a0}a\u{627}', '\u{627}\u{a0}a\u{627}'],
  ['right to left from end to end is prepared', '\u{627}\u{a0}1\u{627}', '\u{627} 1\u{627}'],
  ['other spaces become spaces', 'a\u{3000}b\u{a0}c', 'a b c'],
  ['a zero-width space becomes a space, before it could vanish', 'a\u{200b}b', 'a b'],
  ['what vanishes altogether stays as it is', '\u{ad}\u{ad}', '\u{ad}\u{ad}'],
  ['what Unicode 3.2 does not know keeps all of it as it is', '\u{2168}\u{1f600}', '\u{2168}\u{1f600}'],
  ['private use keeps all of it as it is', '\u{2168}\u{e000}', '\u{2168}\u{e000}'],
  ['half a surrogate pair keeps all of it as it is', '\u{2168}\ud800', '\u{2168}\ud800'],
  ['nothing stays nothing', '', ''],
];

for (const [what, password, expected] of PREPARED) {
  test(what, () => assert.equal(saslprep(password), expected));
}
