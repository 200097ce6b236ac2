"""What the three rates are, in words; `facts.py` says the same in SQL.

The trade divides by orders dispatched (响应率) and by people called back (解决率, 满意率) and publishes monthly; there
is no national formula. Ours, so that nobody can improve a number by leaving something undone:

* an order belongs to the response rate by the day it was placed, so that one which nobody accepts is not forgotten
* it belongs to the other two by the day its work was completed last; work that is being done again is not complete
* its time to respond is that of the first dispatch: nobody gains another by handing the order on, and who claimed it
  and let the claim lapse has not accepted it; while it is shelved no time runs out
* of several answers to one round of work the resident's own counts, else the last one given to staff who called back
* refused, taken back or merged after its time had run out, it was still not answered in time; before that it is not
  counted
* nothing is left out but by two people (exclusions)
"""

from services.orders.rates.schemas import MeasureDefinition, RatesDefinition

SATISFIED_STARS = 4
RESPONSE_HOURS = 24


def definition_of(satisfied_stars: int, response_hours: int) -> RatesDefinition:
    return RatesDefinition(
        satisfied_stars=satisfied_stars,
        response_hours=response_hours,
        response=MeasureDefinition(
            name="响应率",
            counts_by="placed_at",
            definition=(
                "期内下单且已派出的订单中，按首次派单的接单时限接单的占比；"
                f"未约定接单时限的，以首次派单后 {response_hours} 小时内接单为准。"
                "改派不重新计时，认领后超时失效的不算接单。"
                "仍在时限内、挂账中、以及时限未到即不予受理、撤销或合并的不计入。"
            ),
            definition_en=(
                "Of the orders placed in the period and dispatched: those accepted in the time promised for the first "
                f"dispatch or, where none is promised, within {response_hours} hours of it. Handing on begins no new "
                "time, a claim that lapsed is no acceptance. Orders still in time or shelved are not counted yet, "
                "those refused, taken back or merged before it was over not at all."
            ),
        ),
        resolution=MeasureDefinition(
            name="解决率",
            counts_by="completed_at",
            definition="期内办结且已评价（居民评价优先，其次为最近一次回访）的订单中，居民答“已解决”的占比。重办中的不计入。",
            definition_en=(
                "Of the orders completed in the period and answered (by the resident, else in the last call-back): "
                "those said to be solved. Orders that are being done again are not counted."
            ),
        ),
        satisfaction=MeasureDefinition(
            name="满意率",
            counts_by="completed_at",
            definition=f"期内办结且已打分的订单中，满意度不低于 {satisfied_stars} 星的占比。重办中的不计入。",
            definition_en=(
                f"Of the orders completed in the period and given stars: those given {satisfied_stars} or more. Orders "
                "that are being done again are not counted."
            ),
        ),
    )
