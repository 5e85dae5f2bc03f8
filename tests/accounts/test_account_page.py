from django.test import Client
from django.urls import reverse

from apps.accounts.models import ApiToken, User
from tests.access_cases import HTMX, PageAccessCases, SampleTestCase


class TestAccountPage(PageAccessCases, SampleTestCase):
    seen_by = ("elaine", "executive")

    def path(self) -> str:
        return reverse("account")

    def test_changes_name_and_time_zone(self) -> None:
        answer = self.client_of("elaine").post(
            reverse("account-profile"), {"name": "Elaine", "time_zone": "Asia/Kolkata"}, follow=True
        )
        assert "Your account is changed." in answer.content.decode()
        assert self.sample.user("elaine").time_zone == "Asia/Kolkata"

    def test_refuses_a_time_zone_that_does_not_exist(self) -> None:
        answer = self.client_of("elaine").post(
            reverse("account-profile"), {"name": "Elaine", "time_zone": "Moon/North"}
        )
        assert answer.status_code == 422
        assert self.sample.user("elaine").time_zone == ""

    def test_shows_times_in_the_readers_zone(self) -> None:
        User.objects.filter(pk=self.sample.user("elaine").pk).update(time_zone="Asia/Kolkata")
        assert " IST" in self.text("elaine", self.kiosk_path())

    def test_changes_the_password_only_with_the_old_one(self) -> None:
        user = self.sample.user("elaine")
        user.set_password("the-former-password")
        user.save()
        client = self.client_of("elaine")
        wanted = {"new_password1": "kiosk-printer-42", "new_password2": "kiosk-printer-42"}
        assert client.post(reverse("account-password"), {"old_password": "wrong", **wanted}).status_code == 422
        client.post(reverse("account-password"), {"old_password": "the-former-password", **wanted})
        assert self.sample.user("elaine").check_password("kiosk-printer-42")
        assert client.get(reverse("account")).status_code == 200


class TestTokens(SampleTestCase):
    def make(self, **headers: str) -> str:
        data = {"name": "Monthly report", "days": "30"}
        return self.client_of("elaine").post(reverse("token-new"), data, headers=headers).content.decode()

    def test_shows_the_key_once(self) -> None:
        page = self.make(**HTMX)
        key = page.split("<code>")[1].split("</code>")[0]
        assert key.startswith("siam_")
        assert ApiToken.objects.get().digest == ApiToken.digest_of(key)
        assert key not in self.text("elaine", reverse("account"))

    def test_works_as_a_page_of_its_own_too(self) -> None:
        assert "<html" in self.text("elaine", reverse("token-new"))
        assert "<html" in self.make()

    def test_is_revoked_after_asking(self) -> None:
        self.make()
        token = ApiToken.objects.get()
        path = reverse("token-revoke", args=[token.pk])
        assert "cannot be undone" in self.text("elaine", path)
        assert ApiToken.objects.exists()
        self.client_of("elaine").post(path)
        assert not ApiToken.objects.exists()

    def test_of_somebody_else_looks_absent(self) -> None:
        self.make()
        assert self.get("john", reverse("token-revoke", args=[ApiToken.objects.get().pk])).status_code == 404


class TestSignIn(SampleTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        user = cls.sample.user("elaine")
        user.set_password("one-long-password")
        user.save()

    def sign_in(self, email: str, password: str, then: str = "") -> object:
        return Client().post(reverse("sign-in"), {"username": email, "password": password, "next": then})

    def test_leads_to_the_page_that_was_asked_for(self) -> None:
        answer = self.sign_in("Elaine@Infinity.example", "one-long-password", reverse("ticket-list"))
        assert answer["Location"] == reverse("ticket-list")

    def test_never_leads_to_another_site(self) -> None:
        answer = self.sign_in("elaine@infinity.example", "one-long-password", "https://elsewhere.example/")
        assert answer["Location"] == reverse("home")

    def test_does_not_tell_whether_an_account_exists(self) -> None:
        def problems(answer: object) -> str:
            return answer.content.decode().split('class="errorlist')[1].split("</ul>")[0]

        wrong = problems(self.sign_in("elaine@infinity.example", "wrong-password"))
        unknown = problems(self.sign_in("nobody@infinity.example", "wrong-password"))
        assert wrong == unknown

    def test_out_needs_a_click_and_not_just_an_address(self) -> None:
        client = self.client_of("elaine")
        assert client.get(reverse("sign-out")).status_code == 405
        client.post(reverse("sign-out"))
        assert client.get(reverse("home")).status_code == 302
