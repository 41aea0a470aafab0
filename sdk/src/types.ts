// Converts what a page says to the types of the definitions.

export const BOOLEAN = 1;

// number reads one number as people write it: with a currency, with points or
// commas between thousands or before the fraction. A separator before exactly
// three digits is one of thousands, unless the number begins with 0. Two
// numbers are none.
const number = (text: any): number =>
  +(isNaN(text)
    ? text
        .replace(/^\D*?(-?)\D?(\d[\d.,' ]*)\D*$/, '$1$2')
        .replace(/(^-?0.*)|[.,' ](?=\d{3}\b)/g, '$1')
        .replace(',', '.')
    : text);

// types convert a text that is not empty. What does not fit gives null or NaN,
// or throws. Their numbers are those of package instrument.
export const types: Array<(text: any) => unknown> = [
  (text) => text,
  (text) => /^(true|yes|on|1)$/i.test(text) || (!/^(false|no|off|0)$/i.test(text) && null),
  number,
  (text) => ((text = number(text)) % 1 ? null : text),
  (text) => /^\d{4}-\d\d-\d\d/.exec(text)![0],
  (text) => new Date(/^\d{4}-.*/.exec(text)![0]).toJSON(),
  (address) => [{ address }],
  (number) => [{ number }],
  (text) => [text],
];
