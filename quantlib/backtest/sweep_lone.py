"""Accounts of one symbol each, by a short loop: the sweep's fast road where nothing unusual can happen.

The full kernel follows every step of `docs/backtest.md`. Where all prices are known, nothing is split, delisted or
limited, and stops look at closes, most steps cannot do anything; this loop has the rest, in the same order and with
the same arithmetic, so both give the same equity to the last bit. The tests hold the two against each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantlib.backtest.market import AMOUNT, CLOSE, PRICE, SPLIT, Market
from quantlib.backtest.state import NEXT, NOT, RESET
from quantlib.compiled import kernel, step
from quantlib.risk import Limits, Stops
from quantlib.types import FloatArray

#: How near to a stop or limit the quick comparison leaves it to the exact one; far above what rounding can do.
NEAR = 1e-9


@step
def charge_nb(notional: float, side: float, impact: float, assumed: float, amount: float) -> float:
    """Return the cost of trading a notional; see `fee_nb` of the kernel."""
    notional = abs(notional)
    return notional * (side + (impact * np.sqrt(notional / amount) if amount > 0.0 else assumed))


@kernel(error_model="numpy")
def lone_nb(
    bars: FloatArray,
    symbols: NDArray[np.void],
    rates: tuple[float, float],
    targets: FloatArray,
    stopped: bool,
    stops: tuple[float, float, float, float, int],
    bounds: tuple[float, int, float],
    start: float,
    lag: int,
    every_bar: bool,
    equity: FloatArray,
) -> None:
    """Fill the equity [N, T] of an account for every symbol, from targets [N, T].

    `bars` and `symbols` as in `Market`; `rates`: financing, interest.
    `stops`: loss, profit, trailing, time, rule of entering again. `bounds`: drawdown, cool-down, maintenance.
    """
    financing, interest = rates
    n_bars = bars.shape[2]
    loss, profit, trailing, time, reentry = stops
    drawdown, cool_down, maintenance = bounds
    limited, calm = drawdown < np.inf, interest == 0.0 and not every_bar
    for i in range(len(targets)):
        price, close, target, out = bars[PRICE, i], bars[CLOSE, i], targets[i], equity[i]
        side, impact = symbols[i].side, symbols[i].impact
        assumed, borrow = symbols[i].assumed, symbols[i].borrow
        cash, shares, mark, want, peak = start, 0.0, 0.0, 0.0, start
        pending, leaving, row, filled, blocked, rule, resume = False, False, NOT, NOT, NOT, RESET, NOT
        began, sign, base, result, best = NOT, 0.0, 1.0, 0.0, 0.0
        t = 0
        while t < n_bars:
            # Between its decisions a long account only follows the price: nothing is paid, ordered or called.
            if calm and not pending and blocked == NOT and shares >= 0.0 and cash >= 0.0 and t - lag > max(resume, 0):
                begin, end = t, t
                while end < n_bars and target[end - lag] == target[end - lag - 1]:
                    end += 1
                if shares == 0.0:
                    out[begin:end] = cash
                elif not (stopped or limited):
                    for k in range(begin, end):
                        out[k] = shares * close[k] + cash
                else:
                    slack, most, kept = NEAR * base, -np.inf, best * base
                    low, high = -np.inf, np.inf
                    if began != NOT:
                        low, high = max(-loss * base, kept - trailing * base) + slack, profit * base - slack
                        end = int(min(float(end), max(began + time - 1.0, float(begin))))
                    alarm = peak * (1.0 - drawdown) * (1.0 + NEAR)
                    for k in range(begin, end):
                        value, gained = shares * close[k] + cash, result + shares * (close[k] - mark)
                        if gained <= low or gained >= high or value <= alarm:
                            end = k  # near enough to be looked at exactly, below
                            break
                        if gained > kept:
                            kept = most = gained
                            low = max(low, gained - trailing * base + slack)
                        if value > peak:
                            peak = value
                            alarm = peak * (1.0 - drawdown) * (1.0 + NEAR)
                        result, mark, out[k] = gained, close[k], value
                    best = max(best, most / base)
                if end > begin:
                    t, mark = end, close[end - 1]
                if t == n_bars:
                    break

            if t > 0:
                cash -= -cash * (financing if cash < 0.0 else interest)
                if shares < 0.0:
                    fee = -shares * mark * borrow
                    cash -= fee
                    result -= fee

            d = t - lag
            if d >= 0:
                changed = target[d] != (target[d - 1] if d > 0 else 0.0)
                if blocked != NOT:
                    if rule == RESET:
                        changed = target[d] == 0.0 or np.sign(target[d]) != np.sign(target[filled])
                    elif rule != NEXT:
                        changed = d >= blocked + rule
                    changed = changed and d > blocked
                    blocked = NOT if changed else blocked
                else:
                    changed = changed or every_bar or d == resume
                if changed and d >= resume:
                    want, row, leaving, pending = target[d], d, False, True

            if pending:
                ask, amount = price[t], bars[AMOUNT, i, t] if len(bars) > AMOUNT else np.nan
                value, trades, fees = cash + shares * ask, shares != 0.0 or want != 0.0, 0.0
                if trades:
                    fees = charge_nb(want * value - shares * ask, side, impact, assumed, amount)
                if value - fees > 0.0:
                    held, pending = shares, False
                    if trades:
                        shares = want * (value - fees) / ask
                        fees = charge_nb((shares - held) * ask, side, impact, assumed, amount)
                    if shares != held:
                        result += held * (ask - mark)
                        mark = ask
                        cash -= (shares - held) * ask + fees
                    if not leaving:
                        filled = row
                    leaving = False
                    if stopped and np.sign(shares) != sign:
                        sign = np.sign(shares)
                        began, base, result, best = t if sign != 0.0 else NOT, abs(shares * mark), -fees, 0.0
                    else:
                        result -= fees

            value, gross = cash, 0.0
            if shares != 0.0:
                result += shares * (close[t] - mark)
                gross = shares * close[t]
                value = gross + cash
            mark = close[t]

            if stopped and began != NOT:
                gained = result / base
                best = max(best, gained)
                if (
                    gained <= -loss or gained <= best - trailing or gained >= profit or t - began + 1 >= time
                ) and not leaving:
                    want, row, pending, leaving, blocked, rule = 0.0, t, True, True, t, reentry

            if limited and t >= resume:
                peak = value if t == resume else max(peak, value)
                if value / peak - 1.0 <= -drawdown:
                    resume = t + cool_down
                    if not leaving:
                        want, row, pending, leaving = 0.0, t, True, True
            if value < maintenance * abs(gross) and not leaving:
                want, row, pending, leaving, blocked, rule = 0.0, t, True, True, t, NEXT
            if value <= 0.0:
                out[t:] = 0.0
                break
            out[t] = value
            t += 1


def plain(market: Market) -> bool:
    """Return whether the short loop tells the whole story of a market: nothing unknown, split, delisted or limited."""
    simple = len(market.bars) <= SPLIT and bool(np.isnan(market.limit)) and not market.whole
    stays = bool((market.symbols["last"] >= market.bars.shape[2]).all())
    return simple and stays and bool(np.isfinite(market.bars[[PRICE, CLOSE]]).all())


def short(stops: Stops) -> bool:
    """Return whether the short loop knows these stops: all that need no more than the closes of a trade."""
    return stops.watch == "close" and stops.volatility is None and stops.spread_z is None


def lone_equities(
    market: Market,
    targets: FloatArray,
    *,
    stops: Stops,
    limits: Limits,
    cash: float,
    lag: int,
    every_bar: bool,
    out: FloatArray,
) -> FloatArray:
    """Return the equity of an account for every symbol [N, T], filled into `out`, from targets [N, T].

    The market must be `plain`, the stops `short`, and no cap may bind.
    """
    loss, profit, trailing, time = (
        np.inf if level is None else float(level) for level in (stops.loss, stops.profit, stops.trailing, stops.time)
    )
    words = {"reset": RESET, "next": NEXT}
    again = stops.reentry if isinstance(stops.reentry, int) else words[stops.reentry]
    bounds = (np.inf if limits.drawdown is None else limits.drawdown, limits.cool_down, limits.maintenance)
    rates, levels = (market.financing, market.interest), (loss, profit, trailing, time, again)
    account = (float(cash), lag, every_bar)
    lone_nb(market.bars, market.symbols, rates, targets, stops.any, levels, bounds, *account, out)
    return out
