// The shop's own script: basket, sign-in, Live Chat, and the calls that report
// to People tracking where the page has it.
import { liveChatToken } from './sign-in.js';

const TRACKING_KEY = 'demo-shop-web-tracking';
const BASKET = 'shop.basket';
const CUSTOMER = 'shop.customer';
const $ = (selector) => document.querySelector(selector);

// ---- small helpers ----

function read(key, fallback) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

function write(key, value) {
  if (value === null) localStorage.removeItem(key);
  else localStorage.setItem(key, JSON.stringify(value));
}

function say(text) {
  const status = $('#status');
  if (status) status.textContent = text;
}

const pounds = (n) => `£${n}`;

// ---- People tracking ----

let pe = null;

// The class may arrive after this script, so look when it is needed.
function people() {
  if (!pe && 'PeopleTrackingSDK' in window) {
    pe = new window.PeopleTrackingSDK();
    pe.init(TRACKING_KEY).then((answer) => show('init', answer));
  }
  return pe;
}

async function tell(method, ...args) {
  const sdk = people();
  const call = `${method}(${args.map((a) => JSON.stringify(a)).join(', ')})`;
  show(call, sdk ? await sdk[method](...args) : null);
}

function show(call, answer) {
  const list = $('#answers');
  if (!list) return;
  $('#no-answers').hidden = true;
  const item = document.createElement('li');
  const code = document.createElement('code');
  code.textContent = call;
  const pre = document.createElement('pre');
  pre.textContent = answer ? JSON.stringify(answer, null, 2) : 'There is no People tracking on this page. Nothing was sent.';
  pre.classList.toggle('failed', answer?.success === false);
  item.append(code, pre);
  list.prepend(item);
}

// ---- Live Chat ----

function chat(command, argument) {
  return new Promise((resolve) => {
    window.liveChat(command, argument, (error) => {
      if (error) say(`The chat answered: ${error.message}.`);
      resolve(!error);
    });
  });
}

for (const button of document.querySelectorAll('[data-ask]')) {
  button.addEventListener('click', () => chat('show', null));
}

// ---- basket ----

function renderBasket() {
  const basket = read(BASKET, []);
  const pieces = basket.reduce((sum, line) => sum + line.quantity, 0);
  for (const count of document.querySelectorAll('.count')) count.textContent = pieces || '';
  const list = $('#basket');
  if (!list) return;
  list.replaceChildren(...basket.map(lineOf));
  $('#basket-empty').hidden = pieces > 0;
  $('#order').hidden = pieces === 0;
  $('#total').textContent = pounds(basket.reduce((sum, line) => sum + line.quantity * line.price, 0));
}

function lineOf(line) {
  const item = document.createElement('li');
  const name = document.createElement('span');
  name.className = 'name';
  name.textContent = `${line.quantity} × ${line.name}`;
  const price = document.createElement('span');
  price.textContent = pounds(line.quantity * line.price);
  const remove = document.createElement('button');
  remove.type = 'button';
  remove.className = 'link';
  remove.textContent = 'Remove';
  remove.setAttribute('aria-label', `Remove ${line.name}`);
  remove.addEventListener('click', () => {
    write(BASKET, read(BASKET, []).filter((other) => other.id !== line.id));
    renderBasket();
    say(`${line.name} removed.`);
  });
  item.append(name, price, remove);
  return item;
}

for (const button of document.querySelectorAll('[data-add]')) {
  button.addEventListener('click', () => {
    const { add: id, name, price } = button.dataset;
    const basket = read(BASKET, []);
    const line = basket.find((other) => other.id === id);
    if (line) line.quantity += 1;
    else basket.push({ id, name, price: Number(price), quantity: 1 });
    write(BASKET, basket);
    renderBasket();
    say(`${name} is in your basket.`);
    tell('track', 'action', { name: 'Added to basket', label: id });
  });
}

$('#order')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const pieces = read(BASKET, []).reduce((sum, line) => sum + line.quantity, 0);
  tell('track', 'action', { name: 'Order placed', label: `${pieces} pieces` });
  write(BASKET, null);
  renderBasket();
  $('#basket-empty').hidden = true;
  $('#thanks').hidden = false;
  $('#thanks').focus();
});

// ---- favourites ----

$('#favourite')?.addEventListener('click', (event) => {
  const button = event.currentTarget;
  const pressed = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', String(pressed));
  button.textContent = pressed ? 'In your favourites' : 'Add to favourites';
  if (pressed) tell('track', 'action', { name: 'Button clicked', label: 'add-to-favorites' });
});

// ---- account ----

async function authenticate() {
  const customer = read(CUSTOMER, null);
  if (!customer) return false;
  return chat('auth', await liveChatToken(customer.email, customer.session));
}

function renderAccount() {
  if (!$('#sign-in')) return;
  const customer = read(CUSTOMER, null);
  $('#sign-in').hidden = Boolean(customer);
  $('#signed-in').hidden = !customer;
  $('#who').textContent = customer?.email ?? '';
}

$('#sign-in')?.addEventListener('submit', async (event) => {
  event.preventDefault();
  const email = new FormData(event.currentTarget).get('email').trim();
  write(CUSTOMER, { email, session: crypto.randomUUID() });
  renderAccount();
  if (await authenticate()) say(`Signed in as ${email}. The chat knows you now.`);
});

$('#sign-out')?.addEventListener('click', async () => {
  write(CUSTOMER, null);
  renderAccount();
  if (await chat('logout')) say('Signed out.');
});

$('#details')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const { email, phone, car, ...person } = Object.fromEntries(
    [...new FormData(event.currentTarget)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value),
  );
  const contact = {
    ...(email && { email: [{ address: email }] }),
    ...(phone && { phone: [{ number: phone.replaceAll(/\D/g, '') }] }),
  };
  if (email || phone) person.contactInformation = contact;
  if (car) person.customAttributes = { car };
  if (Object.keys(person).length) tell('updatePerson', person);
});

for (const button of document.querySelectorAll('[data-interest]')) {
  button.addEventListener('click', () => tell('appendToList', 'category', { name: button.dataset.interest }));
}

renderBasket();
renderAccount();
authenticate(); // Live Chat wants a fresh token on every page
