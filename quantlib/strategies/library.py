"""The library: ready definitions, each with why it might work and where it was written about."""

from __future__ import annotations

from dataclasses import dataclass

from quantlib.risk import Stops
from quantlib.strategies.base import Strategy
from quantlib.strategies.group import Group
from quantlib.strategies.legs import Hedge, Leg, VolatilityTarget
from quantlib.strategies.ma_cross import MACross
from quantlib.strategies.pair import Pair
from quantlib.strategies.rotation import Rotation
from quantlib.strategies.timing import Band, Hold, Rank, Rules


@dataclass(frozen=True)
class Definition:
    """A strategy, and what is told about it.

    Parameters
    ----------
    strategy
        The definition itself.
    why
        Why it might work, in a sentence or two.
    reference
        Where it was written about: author, year, title, journal or publisher.
    """

    strategy: Strategy
    why: str = ""
    reference: str = ""


def _legs(*symbols: str) -> tuple[Leg, ...]:
    return tuple(Leg(symbol=symbol) for symbol in symbols)


_LARGE = ("AAPL", "CVX", "HD", "JNJ", "JPM", "KO", "MRK", "MSFT", "PG", "UNH", "WMT", "XOM")
_STEADY = ("JNJ", "KO", "PG", "WMT")
_STYLES = ("MTUM", "QUAL", "SIZE", "USMV", "VLUE")
_YEAR_BUT_A_MONTH = "lag(close, 21) / lag(close, 252) - 1"

#: Those that the pipeline runs by itself, where nothing else is set.
DAILY: tuple[str, ...] = ("Large-cap trend", "Coke against Pepsi", "Factor ETF switch")

LIBRARY: dict[str, Definition] = {
    "Large-cap trend": Definition(
        MACross(universe=_LARGE, fast=50, slow=200),
        why="News reaches prices slowly and investors follow one another, so a long trend tends to go on for a while.",
        reference="Brock, Lakonishok and LeBaron (1992), Simple technical trading rules and the stochastic properties "
        "of stock returns, Journal of Finance 47",
    ),
    "Coke against Pepsi": Definition(
        Pair(y="KO", x="PEP"),
        why="Two makers of the same goods share their fortunes, so a gap between their prices is often a passing one.",
        reference="Gatev, Goetzmann and Rouwenhorst (2006), Pairs trading: performance of a relative-value arbitrage "
        "rule, Review of Financial Studies 19",
    ),
    "Factor ETF switch": Definition(
        Rotation(),
        why="Styles come into fashion and go out of it over months, so the style that has led lately tends to lead on.",
        reference="Barberis and Shleifer (2003), Style investing, Journal of Financial Economics 68",
    ),
    "Turn of the month": Definition(
        Group(
            kind="basket",
            legs=_legs(*_STEADY),
            timing=Rules(long="sessions_left < 2 or session_of_month < 3"),
        ),
        why="Wages and pension contributions are invested around the end of a month, and push prices up on those days.",
        reference="Lakonishok and Smidt (1988), Are seasonal anomalies real? A ninety-year perspective, Review of "
        "Financial Studies 1",
    ),
    "Twelve-month trend": Definition(
        Group(
            kind="rotation",
            legs=_legs(*_LARGE),
            timing=Rank(by="roc(close, 252)", top=len(_LARGE), filter="roc(close, 252) > 0"),
        ),
        why="What has risen over a year tends to rise for some months more, as investors take in news too slowly.",
        reference="Moskowitz, Ooi and Pedersen (2012), Time series momentum, Journal of Financial Economics 104",
    ),
    "Breakout to a 52-week high": Definition(
        Group(
            kind="outright",
            legs=_legs("MSFT"),
            timing=Rules(long="close >= highest(close, 252)", exit_long="close <= lowest(close, 63)"),
            stops=Stops(trailing=0.25),
        ),
        why="A high of the last year is a number people cling to: they sell too early at it, and news gets in late.",
        reference="George and Hwang (2004), The 52-week high and momentum investing, Journal of Finance 59",
    ),
    "Donchian channel": Definition(
        Group(
            kind="outright",
            legs=_legs("XOM"),
            timing=Rules(
                long="close >= highest(close, 55)",
                exit_long="close <= lowest(close, 20)",
                short="close <= lowest(close, 55)",
                exit_short="close >= highest(close, 20)",
            ),
            volatility_target=VolatilityTarget(annual=0.15, lookback=20),
        ),
        why="A price outside the range of the last weeks says that the balance has gone, and trends begin that way.",
        reference="Lukac, Brorsen and Irwin (1988), A test of futures market disequilibrium using twelve different "
        "technical trading systems, Applied Economics 20",
    ),
    "Bollinger reversion": Definition(
        Group(
            kind="outright",
            legs=_legs("PG"),
            timing=Rules(
                long="close < bollinger(close, 20, 2).lower", exit_long="close > bollinger(close, 20, 2).middle"
            ),
            stops=Stops(loss=0.10, time=20),
        ),
        why="Who must sell at once presses a price below its worth for some days; whoever buys then is paid for it.",
        reference="Lehmann (1990), Fads, martingales, and market efficiency, Quarterly Journal of Economics 105; the "
        "bands after Bollinger (2001), Bollinger on Bollinger Bands, McGraw-Hill",
    ),
    "RSI-2": Definition(
        Group(
            kind="outright",
            legs=_legs("JNJ"),
            timing=Rules(long="rsi(close, 2) < 10 and close > sma(close, 200)", exit_long="close > sma(close, 5)"),
            stops=Stops(time=10),
        ),
        why="A short, sharp fall inside a long rise is more often a pause than its end.",
        reference="Connors and Alvarez (2009), Short Term Trading Strategies That Work, TradingMarkets",
    ),
    "Momentum rotation": Definition(
        Group(
            kind="rotation",
            legs=_legs(*_LARGE),
            timing=Rank(by=_YEAR_BUT_A_MONTH, top=3),
        ),
        why="Winners of the last year stay ahead for some months; the latest month is left out, as it tends to turn.",
        reference="Jegadeesh and Titman (1993), Returns to buying winners and selling losers: implications for stock "
        "market efficiency, Journal of Finance 48",
    ),
    "Dual momentum": Definition(
        Group(
            kind="rotation",
            legs=_legs(*_STYLES),
            timing=Rank(by="roc(close, 252)", top=1, filter="roc(close, 252) > 0"),
        ),
        why="The strongest is held while it rises at all; in a long fall of everything, cash is the strongest.",
        reference="Antonacci (2014), Dual Momentum Investing, McGraw-Hill",
    ),
    "Volatility-managed shares": Definition(
        Group(
            kind="basket",
            legs=_legs(*_LARGE),
            timing=Hold(every="monthly"),
            volatility_target=VolatilityTarget(annual=0.12, lookback=21),
        ),
        why="Volatility lasts for weeks while returns do not rise with it, so less in wild times costs little return.",
        reference="Moreira and Muir (2017), Volatility-managed portfolios, Journal of Finance 72",
    ),
    "Low-volatility switch": Definition(
        Group(
            kind="rotation",
            legs=_legs(*_LARGE),
            timing=Rank(by="-std(roc(close, 1), 126)", top=4),
        ),
        why="Many may not borrow and overpay for wild shares instead; calm ones have paid as much for less risk.",
        reference="Blitz and van Vliet (2007), The volatility effect: lower risk without lower return, Journal of "
        "Portfolio Management 34",
    ),
    "Short-term reversal": Definition(
        Group(
            kind="rotation",
            legs=_legs(*_LARGE),
            timing=Rank(by="-roc(close, 5)", top=3, every="weekly"),
        ),
        why="The worst of a week has often been pressed down by sellers in a hurry, and comes back when they are done.",
        reference="Lehmann (1990), Fads, martingales, and market efficiency, Quarterly Journal of Economics 105",
    ),
    "Coke against Pepsi with drift": Definition(
        Group(
            kind="pair",
            legs=_legs("KO", "PEP"),
            hedge=Hedge(method="kalman", lookback=126, rehedge="monthly"),
            timing=Band(entry=2.0, exit=0.5, lookback=126),
            stops=Stops(spread_z=4.0, time=63),
        ),
        why="The same pair with a ratio that may drift, as the two companies do not stay the same for decades.",
        reference="Elliott, van der Hoek and Malcolm (2005), Pairs trading, Quantitative Finance 5",
    ),
    "Exxon against Chevron": Definition(
        Group(
            kind="pair",
            legs=_legs("XOM", "CVX"),
            hedge=Hedge(method="ols", lookback=252),
            timing=Band(entry=2.0, exit=0.5, lookback=252),
            stops=Stops(spread_z=4.0),
        ),
        why="One oil price moves both; what parts them for a while is mostly news of one company that wears off.",
        reference="Gatev, Goetzmann and Rouwenhorst (2006), Pairs trading: performance of a relative-value arbitrage "
        "rule, Review of Financial Studies 19",
    ),
    "Home Depot against Walmart": Definition(
        Group(
            kind="pair",
            legs=_legs("HD", "WMT"),
            hedge=Hedge(method="beta", lookback=252, rehedge="monthly"),
            timing=Band(entry=2.0, exit=0.5, lookback=126),
            stops=Stops(spread_z=4.0, time=63),
        ),
        why="Two large shops sell to the same households; hedged by beta, what is left is how they fare beside it.",
        reference="Avellaneda and Lee (2010), Statistical arbitrage in the US equities market, Quantitative Finance 10",
    ),
    "JPMorgan against Bank of America": Definition(
        Group(
            kind="pair",
            legs=_legs("JPM", "BAC"),
            hedge=Hedge(method="tls", lookback=252),
            timing=Band(entry=2.0, exit=0.0, lookback=126),
            stops=Stops(spread_z=4.0, time=42),
        ),
        why="Two banks of one country hang on the same interest rates and the same borrowers.",
        reference="Do and Faff (2010), Does simple pairs trading still work?, Financial Analysts Journal 66",
    ),
    "Drug makers' fly": Definition(
        Group(
            kind="fly",
            legs=_legs("JNJ", "MRK", "PFE"),
            hedge=Hedge(method="ols", lookback=252, rehedge="monthly"),
            timing=Band(entry=2.0, exit=0.5, lookback=126),
            stops=Stops(spread_z=4.0, time=63),
        ),
        why="Against two of its kind at once, a company's own news stands out more clearly than against one.",
        reference="Avellaneda and Lee (2010), Statistical arbitrage in the US equities market, Quantitative Finance "
        "10; flies after Litterman and Scheinkman (1991), Common factors affecting bond returns, Journal of Fixed "
        "Income 1",
    ),
    "Sector switch": Definition(
        Group(
            kind="switch",
            legs=_legs("XOM", "JNJ"),
            timing=Band(entry=1.0, exit=0.0, lookback=252, way="follow"),
        ),
        why="Leadership of a sector lasts for months: out of oil and into health while health is ahead.",
        reference="Moskowitz and Grinblatt (1999), Do industries explain momentum?, Journal of Finance 54",
    ),
    "Equal risk": Definition(
        Group(
            kind="basket",
            legs=_legs(*_LARGE),
            hedge=Hedge(method="volatility", lookback=126),
            timing=Hold(every="monthly"),
        ),
        why="With weights by risk no wild share decides the whole, which costs little return and saves much risk.",
        reference="Maillard, Roncalli and Teiletche (2010), The properties of equally weighted risk contribution "
        "portfolios, Journal of Portfolio Management 36",
    ),
    "Sell in May": Definition(
        Group(
            kind="basket",
            legs=_legs(*_STYLES),
            timing=Rules(long="month >= 11 or month <= 4"),
        ),
        why="In most countries shares have risen in winter and hardly in summer, for reasons that are still argued.",
        reference="Bouman and Jacobsen (2002), The Halloween indicator, Sell in May and go away: another puzzle, "
        "American Economic Review 92",
    ),
    "Tactical five": Definition(
        Group(
            kind="rotation",
            legs=_legs("SPY", "EFA", "AGG", "VNQ", "GLD"),
            timing=Rank(by="close / sma(close, 200)", top=5, filter="close > sma(close, 200)"),
        ),
        why="Each kind of asset is held above its long average only, which has kept out of most of the long falls.",
        reference="Faber (2007), A quantitative approach to tactical asset allocation, Journal of Wealth Management 9",
    ),
    "Dual momentum worldwide": Definition(
        Group(
            kind="rotation",
            legs=_legs("SPY", "EFA", "AGG"),
            timing=Rank(by="roc(close, 252)", top=1, filter="roc(close, 252) > 0"),
        ),
        why="Shares at home, shares abroad or bonds: whichever was strongest over a year tends to stay so for a while.",
        reference="Antonacci (2014), Dual Momentum Investing, McGraw-Hill",
    ),
    "Sector momentum": Definition(
        Group(
            kind="rotation",
            legs=_legs("XLK", "XLE", "XLU", "XLRE", "XLY"),
            timing=Rank(by="roc(close, 126)", top=2, filter="close > sma(close, 200)"),
        ),
        why="Much of the momentum of shares is that of their sectors, which is cheaper to trade.",
        reference="Moskowitz and Grinblatt (1999), Do industries explain momentum?, Journal of Finance 54",
    ),
    "Stocks and bonds at equal risk": Definition(
        Group(
            kind="basket",
            legs=_legs("SPY", "AGG", "GLD"),
            hedge=Hedge(method="volatility", lookback=126),
            timing=Hold(every="monthly"),
        ),
        why="Shares, bonds and gold fall at different times; at equal risk none of them decides the whole.",
        reference="Asness, Frazzini and Pedersen (2012), Leverage aversion and risk parity, Financial Analysts "
        "Journal 68",
    ),
}
