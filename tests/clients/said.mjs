// The like of said.py.

export const { GATE, KEY, ENDPOINT, PROTOCOL } = process.env;

export function classes(why) {
  const found = [];
  for (let kind = why?.constructor; kind?.name && kind !== Error; kind = Object.getPrototypeOf(kind)) found.push(kind.name);
  return found;
}

export function say(seen) {
  console.log(JSON.stringify(seen));
}

/** How many there are, once the whole page is there. */
export async function count(locator) {
  await locator.page().waitForLoadState('load');
  return locator.count();
}
